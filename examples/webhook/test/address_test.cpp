// What may be connected to, and which addresses of endpoints are stored.
#include "address.hpp"

#include <gmock/gmock.h>

#include <summa/error.hpp>

#include "http_url.hpp"

namespace webhook {
namespace {

std::string Refusal(const std::string& address, std::vector<Network> allowed = {}) {
  return AddressRules(std::move(allowed)).Refusal(ParseAddress(address).value());
}

TEST(AddressRules, RefusesEverythingThatIsNotPublic) {
  for (const char* address : {"0.0.0.0",
                              "10.1.2.3",
                              "100.64.0.1",
                              "127.0.0.1",
                              "127.255.255.255",
                              "169.254.169.254",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.0.0.8",
                              "192.0.2.1",
                              "192.88.99.1",
                              "192.168.1.1",
                              "198.18.0.1",
                              "198.51.100.1",
                              "203.0.113.1",
                              "224.0.0.1",
                              "255.255.255.255",
                              "::",
                              "::1",
                              "fe80::1",
                              "fc00::1",
                              "fd12:3456::1",
                              "ff02::1",
                              "2001:db8::1",
                              "2001::1",
                              "2002:7f00:1::",
                              "::ffff:127.0.0.1",
                              "::ffff:10.0.0.1",
                              "::127.0.0.1",
                              "64:ff9b::7f00:1",
                              "64:ff9b::169.254.1.1",
                              "64:ff9b:1::1",
                              "100::1",
                              "3fff::1",
                              "5f00::1"}) {
    EXPECT_NE(Refusal(address), "") << address;
  }
}

TEST(AddressRules, LetsPublicAddressesPass) {
  for (const char* address :
       {"1.1.1.1", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "126.255.255.255",
        "128.0.0.1", "172.15.255.255", "172.32.0.1", "192.167.255.255", "223.255.255.255",
        "2606:4700::1111", "2a00:1450::1", "64:ff9b::101:101", "::ffff:1.1.1.1"}) {
    EXPECT_EQ(Refusal(address), "") << address;
  }
}

TEST(AddressRules, LetsANetworkPassThatIsAllowed) {
  const std::vector<Network> allowed = {*ParseNetwork("10.20.0.0/16"), *ParseNetwork("fd00::/64")};
  EXPECT_EQ(Refusal("10.20.30.40", allowed), "");
  EXPECT_EQ(Refusal("fd00::1", allowed), "");
  EXPECT_EQ(Refusal("10.21.0.1", allowed), "private");
  EXPECT_EQ(Refusal("fd00:0:0:1::1", allowed), "private");
}

TEST(ParseNetwork, TakesNetworksAndAddressesOnly) {
  for (const char* text : {"10.0.0.0/8", "10.0.0.1", "::/0", "fd00::/8", "0.0.0.0/0"}) {
    EXPECT_TRUE(ParseNetwork(text)) << text;
  }
  for (const char* text : {"", "10.0.0.0/", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "host/8",
                           "10.0.0.0/8 ", "10.0.0.0/-1"}) {
    EXPECT_FALSE(ParseNetwork(text)) << text;
  }
}

std::string UrlProblem(const std::string& url, bool allow_http = false) {
  try {
    CheckUrl(url, allow_http, AddressRules());
    return "";
  } catch (const summa::Error& error) {
    EXPECT_EQ(error.code(), "WH-0002");
    return error.what();
  }
}

TEST(CheckUrl, TakesHttpsWithANameOrAPublicAddress) {
  for (const char* url : {"https://example.com/hook", "https://example.com:8443/hook?a=b",
                          "https://1.1.1.1/", "https://[2606:4700::1111]/hook"}) {
    EXPECT_EQ(UrlProblem(url), "") << url;
  }
  EXPECT_EQ(UrlProblem("http://example.com/hook", true), "");
}

TEST(CheckUrl, RefusesOtherFormsAndPrivateAddressesInEverySpelling) {
  for (const char* url : {"",
                          "example.com/hook",
                          "http://example.com/",
                          "ftp://example.com/",
                          "file:///etc/passwd",
                          "gopher://example.com/",
                          "https://user@example.com/",
                          "https://user:word@example.com/",
                          "https://example.com/#part",
                          "https://127.0.0.1/",
                          "https://2130706433/",
                          "https://0x7f.1/",
                          "https://0177.0.0.1/",
                          "https://127.1/",
                          "https://[::1]/",
                          "https://[::ffff:127.0.0.1]/",
                          "https://[fe80::1]/",
                          "https://169.254.169.254/latest",
                          "https://exa mple.com/",
                          "https:///path"}) {
    EXPECT_NE(UrlProblem(url), "") << url;
  }
  EXPECT_NE(UrlProblem("https://example.com/" + std::string(3000, 'a')), "");
}

}  // namespace
}  // namespace webhook
