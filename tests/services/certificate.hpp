#pragma once

#include <string>

namespace summa::test {

// Makes NAME.crt and NAME.key, good for two days: of an authority, or signed by AUTHORITY.crt for
// the address 127.0.0.1 when that is named. Replaces what is there. Throws std::runtime_error.
void MakeCertificate(const std::string& name, const std::string& subject,
                     const std::string& authority = {});

// The same, signed by the authority, and no longer good since yesterday.
void MakeExpiredCertificate(const std::string& name, const std::string& subject,
                            const std::string& authority);

}  // namespace summa::test
