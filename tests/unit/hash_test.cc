// SHA-256 by either library, in one piece and in several.
#include <gtest/gtest.h>
#include <sodium.h>

#include <string>
#include <vector>

#include "common/hash.h"
#include "common/random.h"
#include "worker/training/contents_hash.h"

namespace lrtune {
namespace {

TEST(Hash, IsThatOfTheStandardsExamples) {
  // FIPS 180-4's example values (NIST, "Secure Hash Standard: examples with intermediate values").
  EXPECT_EQ(sha256("abc").hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(std::string(1'000'000, 'a')).hex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Hash, IsTheSameByEitherLibraryAtEveryLength) {
  std::vector<std::uint8_t> bytes;
  for (std::uint64_t length = 0; length < 300; ++length) {
    Digest expected;
    crypto_hash_sha256(expected.bytes.data(), bytes.data(), bytes.size());
    EXPECT_EQ(sha256(bytes), expected) << length;
    ContentsHash pieces;
    pieces.add(std::span(bytes).first(length / 3));
    pieces.add(std::span(bytes).subspan(length / 3));
    EXPECT_EQ(pieces.finish(), expected) << length;
    bytes.push_back(static_cast<std::uint8_t>(random_bits("bytes", 1, length)));
  }
}

}  // namespace
}  // namespace lrtune
