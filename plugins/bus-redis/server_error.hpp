// What an error reply of Redis means for the messages it answered.
#pragma once

#include <string_view>

namespace summa::bus_redis {

enum class ServerErrorKind {
  kServer,  // the server cannot serve anybody now, or not us: nothing was done, try again later
  kStream   // this key cannot take or give messages: others can
};

// `text` as Redis sends it, the word first: "WRONGTYPE Operation against a key ...".
ServerErrorKind ClassifyServerError(std::string_view text);

// The first word: "WRONGTYPE".
std::string_view ServerErrorWord(std::string_view text);

}  // namespace summa::bus_redis
