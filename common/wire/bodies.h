// One message's body <-> its struct: the keys of PROTOCOL.md, "Bodies". The codec puts them into
// frames.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string_view>
#include <variant>

#include "common/wire/body_reader.h"
#include "common/wire/messages.h"

namespace lrtune::wire {

// The tag of a message on the wire.
template <typename Message>
inline constexpr std::string_view kKind = "";
template <>
inline constexpr std::string_view kKind<Hello> = "hello";
template <>
inline constexpr std::string_view kKind<Heartbeat> = "heartbeat";
template <>
inline constexpr std::string_view kKind<Surveyed> = "surveyed";
template <>
inline constexpr std::string_view kKind<Started> = "started";
template <>
inline constexpr std::string_view kKind<Progress> = "progress";
template <>
inline constexpr std::string_view kKind<Measured> = "measured";
template <>
inline constexpr std::string_view kKind<Finished> = "finished";
template <>
inline constexpr std::string_view kKind<Refused> = "refused";
template <>
inline constexpr std::string_view kKind<Goodbye> = "goodbye";
template <>
inline constexpr std::string_view kKind<Submit> = "submit";
template <>
inline constexpr std::string_view kKind<Order> = "order";
template <>
inline constexpr std::string_view kKind<Extend> = "extend";
template <>
inline constexpr std::string_view kKind<Judge> = "judge";
template <>
inline constexpr std::string_view kKind<Inspect> = "inspect";
template <>
inline constexpr std::string_view kKind<Answer> = "answer";
template <>
inline constexpr std::string_view kKind<Welcome> = "welcome";
template <>
inline constexpr std::string_view kKind<Introduce> = "introduce";
template <>
inline constexpr std::string_view kKind<Rejected> = "rejected";
template <>
inline constexpr std::string_view kKind<Survey> = "survey";
template <>
inline constexpr std::string_view kKind<Assign> = "assign";
template <>
inline constexpr std::string_view kKind<Acknowledge> = "acknowledge";
template <>
inline constexpr std::string_view kKind<Cancel> = "cancel";
template <>
inline constexpr std::string_view kKind<Shutdown> = "shutdown";

nlohmann::json body_of(const Hello& message);
nlohmann::json body_of(const Heartbeat& message);
nlohmann::json body_of(const Surveyed& message);
nlohmann::json body_of(const Started& message);
nlohmann::json body_of(const Progress& message);
nlohmann::json body_of(const Measured& message);
nlohmann::json body_of(const Finished& message);
nlohmann::json body_of(const Refused& message);
nlohmann::json body_of(const Goodbye& message);
nlohmann::json body_of(const Submit& message);
nlohmann::json body_of(const Order& message);
nlohmann::json body_of(const Extend& message);
nlohmann::json body_of(const Judge& message);
nlohmann::json body_of(const Inspect& message);
nlohmann::json body_of(const Answer& message);
nlohmann::json body_of(const Welcome& message);
nlohmann::json body_of(const Introduce& message);
nlohmann::json body_of(const Rejected& message);
nlohmann::json body_of(const Survey& message);
nlohmann::json body_of(const Assign& message);
nlohmann::json body_of(const Acknowledge& message);
nlohmann::json body_of(const Cancel& message);
nlohmann::json body_of(const Shutdown& message);

// Fills `message`; errors stay in `reader`, which the caller asks to finish().
void read_body(BodyReader& reader, Hello& message);
void read_body(BodyReader& reader, Heartbeat& message);
void read_body(BodyReader& reader, Surveyed& message);
void read_body(BodyReader& reader, Started& message);
void read_body(BodyReader& reader, Progress& message);
void read_body(BodyReader& reader, Measured& message);
void read_body(BodyReader& reader, Finished& message);
void read_body(BodyReader& reader, Refused& message);
void read_body(BodyReader& reader, Goodbye& message);
void read_body(BodyReader& reader, Submit& message);
void read_body(BodyReader& reader, Order& message);
void read_body(BodyReader& reader, Extend& message);
void read_body(BodyReader& reader, Judge& message);
void read_body(BodyReader& reader, Inspect& message);
void read_body(BodyReader& reader, Answer& message);
void read_body(BodyReader& reader, Welcome& message);
void read_body(BodyReader& reader, Introduce& message);
void read_body(BodyReader& reader, Rejected& message);
void read_body(BodyReader& reader, Survey& message);
void read_body(BodyReader& reader, Assign& message);
void read_body(BodyReader& reader, Acknowledge& message);
void read_body(BodyReader& reader, Cancel& message);
void read_body(BodyReader& reader, Shutdown& message);

}  // namespace lrtune::wire
