// New secrets for connections to come. Every connection of the process is made from the URL of its
// DatabaseSettings, which never change; when the file that a password comes from has a new one, the
// URL of before stands for the URL of now. Thread-safe.
#pragma once

#include <string>

namespace summa::host {

// Whether the two lead to the same database as the same user: they differ in nothing but the
// password, or the place of certificates and of the file of passwords. Throws SqlFailure SH-0418
// when one cannot be read.
bool SameButForSecrets(const std::string& url, const std::string& other);

// Connections that are made from `url` use `now` from here on. Only for SameButForSecrets().
void RenewUrl(const std::string& url, const std::string& now);
// What to connect with when the settings say `url`.
std::string NewestUrl(const std::string& url);

}  // namespace summa::host
