// What `lrtune` returns to the shell.
#pragma once

namespace lrtune {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailure = 1;
// A wrong option, file or value: nothing was done. Or data that no worker can use, which shows when
// the campaign is there already: it has failed, as the store says, with no trial.
inline constexpr int kExitBadInput = 2;
inline constexpr int kExitResumable =
    75;  // stopped before the end; the same command goes on (EX_TEMPFAIL)

}  // namespace lrtune
