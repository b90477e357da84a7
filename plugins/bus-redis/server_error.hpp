// What an error reply of Redis means for the messages it answered.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace summa::bus_redis {

enum class ServerErrorKind {
  kServer,  // the server cannot serve anybody now, or not us: nothing was done, try again later
  kStream   // this key cannot take or give messages: others can
};

// `text` as Redis sends it, the word first: "WRONGTYPE Operation against a key ...".
ServerErrorKind ClassifyServerError(std::string_view text);

// The same for everybody who asks: not the fault of a login that was refused with it.
bool IsOutage(std::string_view text);

// What to do about an error of kind kServer.
std::string ServerErrorHint(std::string_view text);

// The first word: "WRONGTYPE"; of an EXEC that was refused, that of its reason.
std::string_view ServerErrorWord(std::string_view text);

// Throws what an error of kind kStream means for who asked. `command`: what was sent, at least its
// name; `what`: the key, or what was looked at.
//   OOM        SUMMA_E_UNAVAILABLE SH-0619: there is room again when consumers have caught up
//   NOPERM     SUMMA_E_DENIED      SH-0617: a right that an administrator gives
//   others     SUMMA_E_CONFIG      SH-0604: the key is no stream, most often
[[noreturn]] void ThrowRefused(std::span<const std::string_view> command, std::string_view what,
                               std::string_view server_text);
[[noreturn]] void ThrowRefused(std::initializer_list<std::string_view> command,
                               std::string_view what, std::string_view server_text);

}  // namespace summa::bus_redis
