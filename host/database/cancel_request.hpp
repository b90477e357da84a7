// Asks a server to end what runs on a connection, with a limit of time, which PQcancel does not
// have.
#pragma once

#include <libpq-fe.h>

#include <chrono>

namespace summa::host {

// True: the server has taken the request, or refused it. False: it did not within `timeout`. Then
// the request may still arrive, from a thread of its own that nobody waits for, and the connection
// must not be used any more: the request would end another statement.
bool SendCancelRequest(PGconn* connection, std::chrono::milliseconds timeout) noexcept;

}  // namespace summa::host
