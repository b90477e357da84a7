// What a verb of the command line gives.
#pragma once

#include <string>
#include <vector>

#include "host/error.hpp"

namespace summa::host {

struct VerbResult {
  std::string json = "{}";  // one object; its members become part of the envelope
  int exit_code = 0;
  std::vector<Error> errors = {};  // the first one gives the envelope its code
  std::string text = {};           // what people see instead of the rendered JSON
  // A thread that was abandoned still runs: the process must end without destructors of static
  // objects.
  bool threads_left = false;
  bool unread = false;  // nobody needs the result: it may fail to be written
};

}  // namespace summa::host
