// Makes an answer shorter where it pays: nothing at all when the client has it already (ETag), and
// compressed when it takes gzip. Pure.
#pragma once

#include "host/http/http_message.hpp"

namespace summa::host {

// revalidates: the same answer comes again, so that an ETag of its content is of use. One that the
// handler gave is used in any case.
void Shorten(const HttpRequest& request, bool revalidates, HttpResponse& response);

}  // namespace summa::host
