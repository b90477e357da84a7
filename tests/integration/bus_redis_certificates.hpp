// A throw-away authority, and a certificate of it for 127.0.0.1, for redis-server.
#pragma once

#include <string>
#include <vector>

#include "tests/services/certificate.hpp"
#include "tests/services/server_directory.hpp"

namespace summa::bus_redis {

class Certificates {
 public:
  Certificates() {
    test::MakeCertificate(File("ca"), "/CN=throw-away authority");
    test::MakeCertificate(File("server"), "/CN=redis", File("ca"));
  }
  // ca.crt, ca.key, server.crt, server.key; NAME of others.
  std::string File(const std::string& name) const { return directory_.Path() + "/" + name; }
  // For redis-server.
  std::vector<std::string> Arguments(const std::string& ask_clients = "no") const {
    return {"--tls-cert-file",    File("server.crt"), "--tls-key-file",     File("server.key"),
            "--tls-ca-cert-file", File("ca.crt"),     "--tls-auth-clients", ask_clients};
  }

 private:
  test::ServerDirectory directory_;
};

}  // namespace summa::bus_redis
