#include "tests/demo/view.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tests/demo/text.hpp"

namespace summa::demo {
namespace {

constexpr std::size_t kUsualColumns = 80;
// A rate over less says nothing.
constexpr double kShortestRate = 0.2;
constexpr char kBold[] = "\x1b[1m";
constexpr char kPlain[] = "\x1b[0m";

bool DrawsOnTerminal() {
  const char* terminal = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && terminal != nullptr && std::string(terminal) != "dumb";
}

std::size_t Columns() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUsualColumns;
  return size.ws_col;
}

// Longer lines would wrap, and the table be drawn in the wrong place next time.
std::string Cut(const std::string& line, std::size_t columns) { return line.substr(0, columns); }

std::string LeaseText(const WorkerView& worker) {
  return worker.lease_seconds < 0 ? "-" : Decimal(worker.lease_seconds) + " s";
}

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

// A host that does not answer counts nothing.
std::string CountText(long long count) { return count < 0 ? "-" : Grouped(count); }

void AddWorkers(const HostView& host, std::vector<std::string>& lines) {
  std::size_t holder_width = 8;
  for (const WorkerView& worker : host.workers) {
    holder_width = std::max(holder_width, worker.holder.size() + 2);
  }
  lines.push_back("  " + Left("worker", 18) + Left("state", 10) + Left("holder", holder_width) +
                  Right("fence", 5) + Right("lease", 9));
  for (const WorkerView& worker : host.workers) {
    lines.push_back("  " + Left(worker.id, 18) + Left(worker.state, 10) +
                    Left(OrDash(worker.holder), holder_width) +
                    Right(worker.fence > 0 ? Grouped(worker.fence) : "-", 5) +
                    Right(LeaseText(worker), 9));
    if (!worker.last_error.empty()) lines.push_back("    " + worker.last_error);
  }
}

}  // namespace

View::View(Setting setting) : setting_(std::move(setting)), terminal_(DrawsOnTerminal()) {}

std::string View::Rate(long long now, long long before, const Sample& sample) const {
  const double seconds = sample.seconds - before_.seconds;
  if (seconds < kShortestRate || now < 0 || before < 0) return "-";
  return Grouped(static_cast<long long>(static_cast<double>(now - before) / seconds + 0.5));
}

std::vector<std::string> View::Table(const Sample& sample) const {
  std::vector<std::string> lines;
  const auto row = [&](const char* name, long long now, long long before, const char* what) {
    lines.push_back("  " + Left(name, 12) + Right(CountText(now), 12) +
                    Right(Rate(now, before, sample), 9) + "   " + what);
  };
  lines.push_back("summa-demo  " + Decimal(sample.seconds) + " s" + setting_.length + "  " +
                  sample.phase + "  (" + setting_.versions + ", private)");
  lines.push_back("");
  lines.push_back("  " + Left("", 12) + Right("total", 12) + Right("per s", 9));
  row("operations", sample.operations, before_.operations, "committed in the ledger");
  row("committed", sample.committed, before_.committed, "events in its outbox");
  row("delivered", sample.host.delivered, before_.host.delivered, "events, says the host");
  row("received", sample.consumer.received, before_.consumer.received,
      "events, says a consumer group");
  lines.push_back("  " + Left("pending", 12) + Right(Grouped(sample.pending), 12));
  lines.push_back("");
  lines.push_back("  commit -> consumer   " + ToText(sample.latency));
  lines.push_back("  order violations " + Grouped(sample.consumer.out_of_order) + "   duplicates " +
                  Grouped(sample.consumer.duplicates));
  lines.push_back("");
  AddWorkers(sample.host, lines);
  lines.push_back("");
  lines.push_back("  " + Left("plugin", 18) + Left("state", 10) + "version");
  for (const PluginView& plugin : sample.host.plugins) {
    lines.push_back("  " + Left(plugin.id, 18) + Left(plugin.state, 10) + plugin.version +
                    (plugin.error.empty() ? "" : "  " + plugin.error));
  }
  lines.push_back("");
  const std::string address = "http://127.0.0.1:" + std::to_string(setting_.port);
  lines.push_back("  " + address + "/status   " + address + "/metrics");
  lines.push_back("  host " + sample.host.state +
                  ".  Ctrl-C ends the traffic and prints the proof");
  return lines;
}

std::string View::Line(const Sample& sample) const {
  return Right(Decimal(sample.seconds), 6) + " s  committed " + Grouped(sample.committed) + " (" +
         Rate(sample.committed, before_.committed, sample) + "/s)  delivered " +
         CountText(sample.host.delivered) + "  received " + Grouped(sample.consumer.received) +
         "  pending " + Grouped(sample.pending) + "  " + ToText(sample.latency) +
         "  order violations " + Grouped(sample.consumer.out_of_order) + "  duplicates " +
         Grouped(sample.consumer.duplicates) +
         (sample.host.state == "running" ? "" : "  host " + sample.host.state);
}

void View::Begin(const Sample& sample) { before_ = sample; }

void View::Show(const Sample& sample) {
  if (!terminal_) {
    std::printf("%s\n", Line(sample).c_str());
  } else {
    const std::size_t columns = Columns();
    std::string text;
    // Back to the first line of the table before, and everything below it away.
    if (drawn_lines_ > 0) text += "\x1b[" + std::to_string(drawn_lines_) + "A\r";
    text += "\x1b[J";
    const std::vector<std::string> lines = Table(sample);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const std::string line = Cut(lines[i], columns);
      text += i == 0 ? kBold + line + kPlain : line;
      text += '\n';
    }
    drawn_lines_ = lines.size();
    std::fwrite(text.data(), 1, text.size(), stdout);
  }
  std::fflush(stdout);
  before_ = sample;
}

void View::End() {
  if (drawn_lines_ > 0 || !terminal_) std::printf("\n");
  drawn_lines_ = 0;
}

}  // namespace summa::demo
