"""The policies that exports are tried with: all LR functions at lengths that fall on and beside the ends of cycles, and
the edges of docs/POLICIES.md."""

ITERATIONS = 10_000

DECAYING = [
    {"function": "fix", "k0": 0.01},
    {"function": "step", "k0": 0.01, "gamma": 0.85, "l": 700},
    {"function": "nstep", "k0": 0.01, "gamma": 0.1, "l": [1, 6000, 6001, 9999]},
    {"function": "exp", "k0": 0.01, "gamma": 0.99994},
    {"function": "inv", "k0": 0.01, "gamma": 0.0001, "p": 0.75},
    {"function": "poly", "k0": 0.01, "k1": 0, "p": 1.2, "l": 10_000},
    {"function": "sig", "k0": 0.01, "gamma": -0.002, "l": 5000},
]
WAVES = ["tri", "dtri", "sin", "dsin", "cos", "upcos", "rsw", "sinrsw", "cosrsw"]

CYCLIC = [
    {"function": wave + variant, "k0": 0.0001, "k1": 0.9, "l": 333}
    | ({"gamma": 0.9994} if variant == "exp" else {})
    for wave in WAVES
    for variant in ("", "2", "exp")
]

# The ends of what a function can do.
EDGES = [
    {"function": "poly", "k0": 0.5, "k1": 0.001, "p": 2, "l": 4000},  # past its l
    {"function": "poly", "k0": 0.001, "k1": 0.5, "p": 0.5, "l": 9000},  # rising
    {"function": "poly", "k0": 0, "k1": 0.5, "p": 3, "l": 10_000},
    {"function": "sig", "k0": 0.01, "gamma": 0.5, "l": 0},
    {"function": "sig", "k0": 0.01, "gamma": 0.3, "l": 9000},  # e^2700 stands in the formula
    {"function": "exp", "k0": 1e-6, "gamma": 1.002},  # a growing ramp
    {"function": "exp", "k0": 1e-6, "gamma": 1.5},  # to the largest double
    {"function": "exp", "k0": 0, "gamma": 2},
    {"function": "step", "k0": 1e-5, "gamma": 3, "l": 10},
    {"function": "nstep", "k0": 1e-5, "gamma": 10, "l": [10, 20, 30]},
    {"function": "inv", "k0": 1, "gamma": 1e308, "p": 0.001},
    {"function": "tri", "k0": 0.06, "k1": 0.01, "l": 1},  # k0 > k1, the shortest wave
    {"function": "sin2", "k0": 0.06, "k1": 0, "l": 7},  # halved below the smallest double
    {"function": "rsw2", "k0": 0.06, "k1": 0.01, "l": 1},
    {"function": "cosrsw2", "k0": 0.06, "k1": 0.01, "l": 2},
    {"function": "cos2", "k0": 0.06, "k1": 0.01, "l": 10_000},
    {"function": "dtriexp", "k0": 0.01, "k1": 0.06, "l": 500, "gamma": 1.001},
    {"function": "sinexp", "k0": 1, "k1": 2, "l": 100, "gamma": 1.9},
    {"function": "tri", "k0": 0.02, "k1": 0.02, "l": 50},
]

COMPOSITES = [
    {
        "segments": [
            {"until": 6000, "function": "tri", "k0": 0.001, "k1": 0.005, "l": 200},
            {"until": 6500, "function": "tri2", "k0": 0.0001, "k1": 0.0005, "l": 100},
            {"function": "tri2", "k0": 0.00001, "k1": 0.00005, "l": 50},
        ]
    },
    {
        "segments": [
            {"until": 1, "function": "fix", "k0": 0.1},
            {"until": 5000, "from_t": 300, "function": "sinexp", "k0": 0.1, "k1": 0.6, "l": 700, "gamma": 0.9997},
            {"until": 5001, "from_t": 7000, "function": "cos2", "k0": 0.1, "k1": 0.6, "l": 1000},
            {"until": 9000, "from_t": 1000, "function": "poly", "k0": 0.1, "k1": 0.01, "p": 1.5, "l": 3000},
            {"until": 9500, "from_t": 100000, "function": "nstep", "k0": 1, "gamma": 0.5, "l": [100100, 100200]},
            {"from_t": 17, "function": "inv", "k0": 0.01, "gamma": 0.01, "p": 2},
        ]
    },
    {"segments": [{"from_t": 123, "until": 10, "function": "upcosexp", "k0": 0.3, "k1": 0.1, "l": 77, "gamma": 0.999}]},
]

# Each segment with the t of the whole run, as a realised schedule of Change-LR-On-Plateau has them.
COMPOSITES.append(
    {
        "segments": [
            {"until": 1000 * (i + 1), "from_t": 1000 * i}
            | {"function": WAVES[i] + "2", "k0": 0, "k1": 0.005 / (i + 1), "l": 469}
            for i in range(9)
        ]
    }
)

ALL = DECAYING + CYCLIC + EDGES + COMPOSITES
