// Result<T>: a value or one Error, for everything that can fail on a user's input or on the outside
// world. Programming errors are assertions, not Errors.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace lrtune {

struct Error {
  // One sentence that names the thing, what is wrong with it and what is allowed.
  std::string message;
  // Where in a document it is, as a JSON pointer (RFC 6901) such as "/search/policies/0/k0"; empty
  // if nowhere. common/config turns it into file, line and key.
  std::string path;
};

template <typename T>
using Result = tl::expected<T, Error>;

// Use: return fail("k0 must be above 0, not -1", "/k0");
inline tl::unexpected<Error> fail(std::string message, std::string path = {}) {
  return tl::unexpected<Error>(Error{std::move(message), std::move(path)});
}

}  // namespace lrtune
