// The route, apart from the plugin around it, so that a test can call it.
#pragma once

#include <summa/plugin.hpp>

#include <cstdint>
#include <string>

namespace holder_accounts {

inline constexpr std::string_view kAccounts =
    "SELECT id, currency::text AS currency, status::text AS status, balance FROM account_balance "
    "WHERE holder_id = $1 ORDER BY currency, id LIMIT $2";

// GET /v1/holder-accounts/{holder}. The host has checked the parameters. Called from any thread.
inline summa::Response Get(const summa::Request& request) {
  const std::string holder = *request.Parameter("holder");
  summa::Session session(request.sql());  // reading needs no transaction
  const summa::Result accounts =
      session.Exec(kAccounts, {holder, *request.IntegerParameter("limit")});
  if (accounts.rows() == 0) {
    throw summa::Error(SUMMA_E_NOT_FOUND, "HA-0001", "holder " + holder + " has no account",
                       "check the id of the holder");
  }
  summa::JsonWriter json;
  json.BeginObject().Member("holder", holder).Key("accounts").BeginArray();
  for (const summa::Row row : accounts) {
    json.BeginObject()
        .Member("id", summa::ToText(row.Get<summa::Uuid>("id")))
        .Member("currency", row.Get<std::string_view>("currency"))
        .Member("status", row.Get<std::string_view>("status"))
        .Member("balance", row.Get<std::int64_t>("balance"))
        .EndObject();
  }
  json.EndArray().EndObject();
  return {json.Take()};
}

}  // namespace holder_accounts
