#include "tests/demo/options.hpp"

#include <charconv>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace summa::demo {
namespace {

// A transfer needs two accounts; above, making them would take minutes.
constexpr long long kFewestAccounts = 2;
constexpr long long kMaxAccounts = 10'000;
// Above what one PostgreSQL on one machine commits, the number only misleads.
constexpr long long kHighestRate = 100'000;
constexpr long long kLongestCount = 1'000'000;  // of any unit of time

std::optional<long long> ParseCount(std::string_view text, long long lowest, long long highest) {
  long long value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (value < lowest || value > highest) return std::nullopt;
  return value;
}

long long RequireCount(const std::string& name, const std::string& text, long long lowest,
                       long long highest) {
  if (const auto value = ParseCount(text, lowest, highest)) return *value;
  throw std::invalid_argument(name + " is \"" + text + "\"; expected a number from " +
                              std::to_string(lowest) + " to " + std::to_string(highest));
}

void Apply(Options& options, const std::string& name, const std::string& value) {
  if (name == "--for") {
    options.length = ParseDuration(value);
    if (!options.length) {
      throw std::invalid_argument("--for is \"" + value +
                                  "\"; expected a duration such as 5s, 30s or 1m");
    }
  } else if (name == "--bus") {
    if (value != "redis" && value != "kafka") {
      throw std::invalid_argument("--bus is \"" + value + "\"; expected redis or kafka");
    }
    options.kafka = value == "kafka";
  } else if (name == "--rate") {
    options.rate = static_cast<double>(RequireCount(name, value, 1, kHighestRate));
  } else {
    options.accounts = static_cast<int>(RequireCount(name, value, kFewestAccounts, kMaxAccounts));
  }
}

}  // namespace

std::optional<std::chrono::milliseconds> ParseDuration(const std::string& text) {
  const std::size_t digits = text.find_first_not_of("0123456789");
  if (digits == std::string::npos) return std::nullopt;
  const auto count = ParseCount(std::string_view(text).substr(0, digits), 1, kLongestCount);
  if (!count) return std::nullopt;
  const std::string unit = text.substr(digits);
  if (unit == "ms") return std::chrono::milliseconds(*count);
  if (unit == "s") return std::chrono::seconds(*count);
  if (unit == "m") return std::chrono::minutes(*count);
  if (unit == "h") return std::chrono::hours(*count);
  return std::nullopt;
}

Options ParseOptions(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string name = arguments[i];
    if (name == "--help" || name == "-h") {
      options.help = true;
      continue;
    }
    std::optional<std::string> value;
    if (const std::size_t equals = name.find('='); equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    if (name != "--for" && name != "--bus" && name != "--rate" && name != "--accounts") {
      throw std::invalid_argument("unknown option " + name +
                                  "; there are --for, --bus, --rate, --accounts and --help");
    }
    if (!value) {
      if (++i == arguments.size()) throw std::invalid_argument(name + " needs a value");
      value = arguments[i];
    }
    Apply(options, name, *value);
  }
  return options;
}

std::string HelpText() {
  return "usage: summa-demo [--for DURATION] [--bus NAME] [--rate N] [--accounts N]\n"
         "\n"
         "Starts a private PostgreSQL and Redis and the real summa-host with its plugins outbox "
         "and\n"
         "bus-redis (or Kafka and bus-kafka), commits ledger operations, reads what arrives with a "
         "consumer group, and "
         "shows\n"
         "it live. At the end it proves from the database and from what the consumer got that "
         "every\n"
         "event arrived, in order. Nothing is left behind; nothing outside is touched.\n"
         "\n"
         "  --for DURATION   how long traffic runs: 5s, 30s, 1m (default: until Ctrl-C)\n"
         "  --bus NAME       redis (default) or kafka. Without the jars of Kafka and Java, kafka "
         "is the\n"
         "                   mock cluster of librdkafka\n"
         "  --rate N         operations per second (default: 600); one makes one or two events\n"
         "  --accounts N     accounts the operations are spread over (default: 200)\n"
         "  --help           this text\n"
         "\n"
         "Ctrl-C ends the traffic and prints the proof; a second Ctrl-C does not wait for what is\n"
         "still under way. Every event is remembered until the end, about 200 bytes each.\n"
         "\n"
         "Exit codes: 0 every event arrived, in order; 1 not so, or something did not start;\n"
         "64 wrong option.\n";
}

}  // namespace summa::demo
