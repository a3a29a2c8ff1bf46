// CURVE keys (curve25519) as files: one line of 40 characters of Z85 (ZeroMQ RFC 32) each,
// NAME.public and NAME.secret. A secret file that anyone but its owner may read is refused.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "common/result.h"

namespace lrtune::wire {

struct KeyPair {
  std::string public_key;  // Z85
  std::string secret_key;  // Z85
};

KeyPair make_key_pair();

// Errors name the file: it is not there, is no key, or others may write it.
Result<std::string> read_public_key(const std::filesystem::path& file);

// FOLDER/NAME.public and FOLDER/NAME.secret. Errors besides: others may read the secret, the two do
// not belong together.
Result<KeyPair> read_key_pair(const std::filesystem::path& folder, std::string_view name);

// Both are new files, the secret one for its owner alone. Errors: one is there already (nothing of
// it is changed), or cannot be written.
Result<void> write_key_pair(const std::filesystem::path& folder, std::string_view name,
                            const KeyPair& pair);
Result<void> write_public_key(const std::filesystem::path& file, const std::string& public_key);

}  // namespace lrtune::wire
