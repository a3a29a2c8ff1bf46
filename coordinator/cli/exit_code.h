// What `lrtune` returns to the shell.
#pragma once

namespace lrtune {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitBadInput = 2;  // a wrong option, file or value: nothing was done
inline constexpr int kExitResumable =
    75;  // stopped before the end; the same command goes on (EX_TEMPFAIL)

}  // namespace lrtune
