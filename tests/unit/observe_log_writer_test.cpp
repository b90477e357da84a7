#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "host/observe/log_writer.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::host {
namespace {

using std::chrono::milliseconds;
using test::WaitUntil;

constexpr std::size_t kRoomy = 1 << 20;
constexpr milliseconds kShort{50};

std::string Notice(std::uint64_t lines) { return std::to_string(lines) + " lost\n"; }
bool Urgent() { return true; }
bool NotUrgent() { return false; }

// A pipe that is full, so that whatever is written to it has to wait for Drain().
class FullPipe {
 public:
  FullPipe() {
    std::signal(SIGPIPE, SIG_IGN);
    if (pipe2(ends_, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    fcntl(ends_[1], F_SETFL, O_NONBLOCK);
    for (const std::size_t piece : {std::size_t{4096}, std::size_t{1}}) {
      const std::string filling(piece, '#');
      while (write(ends_[1], filling.data(), filling.size()) > 0) {
      }
    }
    fcntl(ends_[1], F_SETFL, 0);
  }
  ~FullPipe() {
    CloseReader();
    close(ends_[1]);
  }
  int writer() const { return ends_[1]; }
  void CloseReader() {
    if (ends_[0] >= 0) close(ends_[0]);
    ends_[0] = -1;
  }
  // Everything up to the end of `last`, without the filling.
  std::string ReadUntil(const std::string& last) {
    std::string text;
    while (!text.ends_with(last)) {
      char buffer[1024];
      pollfd watched{ends_[0], POLLIN, 0};
      if (poll(&watched, 1, static_cast<int>(test::kTimeout.count())) != 1) break;
      const ssize_t size = read(ends_[0], buffer, sizeof buffer);
      if (size <= 0) break;
      text.append(buffer, static_cast<std::size_t>(size));
    }
    return text.substr(std::min(text.size(), text.find_first_not_of('#')));
  }

 private:
  int ends_[2] = {-1, -1};
};

TEST(LogWriter, NobodyWaitsForAReaderAndTheOldestLinesGiveWay) {
  FullPipe pipe;
  LogWriter writer(pipe.writer(), 100, Notice);
  for (int i = 0; i < 1000; ++i) writer.Put("line " + std::to_string(i) + "\n");
  EXPECT_FALSE(writer.idle());
  EXPECT_FALSE(writer.Flush(Urgent, kShort)) << "an end that is in a hurry waits for ever";
  EXPECT_GT(writer.lost(), 900u);
  const std::string text = pipe.ReadUntil("line 999\n");
  EXPECT_TRUE(writer.Flush(NotUrgent, kShort));
  std::uint64_t said = 0, lines = 0;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (line.ends_with(" lost")) {
      said += std::stoull(line);
    } else {
      ++lines;
    }
  }
  EXPECT_EQ(said, writer.lost()) << text;
  EXPECT_EQ(said + lines, 1000u) << text;
  EXPECT_NE(text.find("line 998\nline 999\n"), std::string::npos) << text;
}

TEST(LogWriter, WhatAReaderTakesLateIsWholeAndInOrder) {
  for (const int flags : {0, O_NONBLOCK}) {
    FullPipe pipe;
    fcntl(pipe.writer(), F_SETFL, flags);
    LogWriter writer(pipe.writer(), kRoomy, Notice);
    std::string expected;
    for (int i = 0; i < 300; ++i) {
      // Some are longer than a pipe takes at once.
      std::string line = std::to_string(i) + std::string(i % 10 == 0 ? 9000 : 100, '.') + "\n";
      expected += line;
      writer.Put(std::move(line));
    }
    writer.Put("end\n");
    EXPECT_EQ(pipe.ReadUntil("end\n"), expected + "end\n") << "flags " << flags;
    EXPECT_TRUE(writer.Flush(NotUrgent, kShort));
    EXPECT_EQ(writer.lost(), 0u);
  }
}

TEST(LogWriter, AnEndWithoutHurryWaitsForASlowReader) {
  FullPipe pipe;
  LogWriter writer(pipe.writer(), kRoomy, Notice);
  writer.Put("last words\n");
  std::thread reader([&] {
    WaitUntil([&] { return !writer.idle(); }, test::kTimeout, "a line that waits");
    EXPECT_EQ(pipe.ReadUntil("last words\n"), "last words\n");
  });
  EXPECT_TRUE(writer.Flush(NotUrgent, milliseconds(0)));
  reader.join();
}

TEST(LogWriter, BeginsNoLineAfterItsEnd) {
  FullPipe pipe;
  LogWriter writer(pipe.writer(), kRoomy, Notice);
  writer.Put("before\n");
  EXPECT_EQ(pipe.ReadUntil("before\n"), "before\n");
  EXPECT_TRUE(writer.Flush(NotUrgent, kShort));
  writer.End();
  writer.Put("of a thread that still runs\n");
  EXPECT_TRUE(writer.Flush(NotUrgent, kShort));
  EXPECT_TRUE(writer.idle());
  EXPECT_EQ(writer.lost(), 1u);
  ASSERT_EQ(write(pipe.writer(), "last words\n", 11), 11);
  EXPECT_EQ(pipe.ReadUntil("last words\n"), "last words\n");
}

TEST(LogWriter, AReaderThatHasGoneCostsLinesAndNothingElse) {
  FullPipe pipe;
  LogWriter writer(pipe.writer(), kRoomy, Notice);
  pipe.CloseReader();
  for (int i = 0; i < 10; ++i) writer.Put("into nothing\n");
  EXPECT_TRUE(writer.Flush(NotUrgent, kShort));
  EXPECT_EQ(writer.lost(), 10u);
}

TEST(LogWriter, ASocketWhosePeerRestartsCostsLinesAndNothingElse) {
  std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  LogWriter writer(ends[0], kRoomy, Notice);
  writer.Put("heard\n");
  EXPECT_TRUE(writer.Flush(NotUrgent, kShort));
  close(ends[1]);
  writer.Put("unheard\nunheard\n");
  EXPECT_TRUE(writer.Flush(NotUrgent, kShort));
  EXPECT_EQ(writer.lost(), 2u);
  close(ends[0]);
}

// The file may grow to a size and no further, as on a full disk; then there is room again.
TEST(LogWriter, AFullDiskCostsLinesIsSaidAndLeavesNoHalfLine) {
  std::signal(SIGXFSZ, SIG_IGN);
  char path[] = "/tmp/summa-log-XXXXXX";
  const int file = mkstemp(path);
  ASSERT_GE(file, 0);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit narrow = before;
  narrow.rlim_cur = 10;
  setrlimit(RLIMIT_FSIZE, &narrow);
  LogWriter writer(file, kRoomy, Notice);
  for (const char* line : {"whole\n", "in part\n", "not at all\n"}) writer.Put(line);
  EXPECT_TRUE(writer.Flush(NotUrgent, kShort));
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(writer.lost(), 2u);
  writer.Put("there is room\n");
  writer.Put("and more\n");
  EXPECT_TRUE(writer.Flush(NotUrgent, kShort));
  char buffer[200] = {};
  EXPECT_GT(pread(file, buffer, sizeof buffer - 1, 0), 0);
  EXPECT_STREQ(buffer, "whole\nin p\n2 lost\nthere is room\nand more\n");
  close(file);
  unlink(path);
}

TEST(LogWriter, ManyThreadsLoseNothing) {
  FullPipe pipe;
  LogWriter writer(pipe.writer(), kRoomy, Notice);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) writer.Put("a line\n");
    });
  }
  for (std::thread& thread : threads) thread.join();
  writer.Put("end\n");
  const std::string text = pipe.ReadUntil("end\n");
  EXPECT_EQ(text.size(), 2000 * std::string("a line\n").size() + 4);
  EXPECT_TRUE(writer.Flush(NotUrgent, kShort));
  EXPECT_EQ(writer.lost(), 0u);
}

}  // namespace
}  // namespace summa::host
