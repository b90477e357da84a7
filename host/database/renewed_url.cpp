#include "host/database/renewed_url.hpp"

#include <libpq-fe.h>

#include <map>
#include <memory>

#include "host/database/session.hpp"
#include "host/database/url_text.hpp"
#include "summa/mutex.hpp"

namespace summa::host {
namespace {

constexpr const char* kSecrets[] = {"password",    "passfile", "sslcert",   "sslkey",
                                    "sslrootcert", "sslcrl",   "sslcrldir", "sslpassword"};

std::map<std::string, std::string> WithoutSecrets(std::string url) {
  const auto balance = TakeParameter(url, "load_balance_hosts");  // libpq knows it since 16
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(url.c_str(), &message), &PQconninfoFree);
  if (message != nullptr) PQfreemem(message);  // it may quote the password
  if (!options) {
    throw SqlFailure(
        Error{"SH-0418", "the database URL is not a valid connection string of PostgreSQL",
              "Write postgresql://USER@HOST:PORT/DATABASE", ""},
        "");
  }
  std::map<std::string, std::string> values;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) values[option->keyword] = option->val;
  }
  values["load_balance_hosts"] = balance.value_or("");
  for (const char* secret : kSecrets) values.erase(secret);
  return values;
}

struct Renewed {
  Mutex mutex;
  std::map<std::string, std::string> urls SUMMA_GUARDED_BY(mutex);
};

// Never destroyed: abandoned threads may still connect.
Renewed& TheRenewed() {
  static auto* renewed = new Renewed;
  return *renewed;
}

}  // namespace

bool SameButForSecrets(const std::string& url, const std::string& other) {
  return WithoutSecrets(url) == WithoutSecrets(other);
}

void RenewUrl(const std::string& url, const std::string& now) {
  Renewed& renewed = TheRenewed();
  const MutexLock lock(renewed.mutex);
  renewed.urls[url] = now;
}

std::string NewestUrl(const std::string& url) {
  Renewed& renewed = TheRenewed();
  const MutexLock lock(renewed.mutex);
  const auto found = renewed.urls.find(url);
  return found == renewed.urls.end() ? url : found->second;
}

}  // namespace summa::host
