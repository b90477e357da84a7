// The socket between a host and the process of a plugin, with both ends in one process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "host/process/link.hpp"
#include "host/process/process_answer.hpp"
#include "host/process/process_endpoint.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::host {
namespace {

using ::testing::HasSubstr;

// What arrives at one end, until there are so many messages or no more will come.
class Receiver {
 public:
  explicit Receiver(Link& link) : link_(link) {}
  bool ReceiveAtLeast(std::size_t count) {
    while (messages.size() < count) {
      pollfd watched{link_.descriptor(), POLLIN, 0};
      if (poll(&watched, 1, 60'000) <= 0 || !link_.Receive(messages))
        return messages.size() >= count;
    }
    return true;
  }
  std::vector<Message> messages;

 private:
  Link& link_;
};

TEST(Links, CarryMessagesLargerThanTheSocketTakesAtOnce) {
  const auto [left, right] = Link::MakePair();
  Link sender(left), receiver(right);
  const Message large{MessageKind::kAnswer, 3, {std::string(5'000'000, 'x')}};
  std::thread sending([&] { EXPECT_TRUE(sender.Send(large)); });
  Receiver received(receiver);
  EXPECT_TRUE(received.ReceiveAtLeast(1));
  sending.join();
  EXPECT_EQ(received.messages.at(0), large);
}

TEST(Links, FindThatTheOtherEndIsGone) {
  const auto [left, right] = Link::MakePair();
  Link link(left);
  { Link other(right); }
  std::vector<Message> messages;
  EXPECT_FALSE(link.Receive(messages));
  EXPECT_FALSE(link.Send({MessageKind::kStop, 0, {}}));
}

TEST(Links, AreShutByNonsense) {
  const auto [left, right] = Link::MakePair();
  Link link(left);
  const std::string nonsense = "this is not a message at all";
  ASSERT_EQ(send(right, nonsense.data(), nonsense.size(), 0),
            static_cast<ssize_t>(nonsense.size()));
  std::vector<Message> messages;
  EXPECT_FALSE(link.Receive(messages));
  EXPECT_FALSE(link.Send({MessageKind::kStop, 0, {}}));
  Link other(right);
}

// A process that reads nothing does not hold up its host for ever.
TEST(Links, GiveUpAnEndThatReadsNothing) {
  const auto [left, right] = Link::MakePair();
  Link link(left), silent(right);
  EXPECT_FALSE(link.Send({MessageKind::kAnswer, 1, {std::string(20'000'000, 'x')}}));
  EXPECT_FALSE(link.Send({MessageKind::kStop, 0, {}})) << "it would be read as the rest";
}

TEST(ProcessAnswers, TheFirstOneCounts) {
  ProcessAnswer answer({});
  EXPECT_EQ(answer.Wait(Microseconds(1)).has_value(), false);
  answer.Set({200, "first"});
  answer.Set({500, "second"});
  EXPECT_EQ(answer.Wait(Microseconds(0))->body, "first");
  int given_up = 0;
  ProcessAnswer other([&] { ++given_up; });
  other.GiveUp();
  other.GiveUp();
  EXPECT_EQ(given_up, 1);
  EXPECT_EQ(other.Wait(Microseconds(0))->status, 503);
}

HttpRoute Route(const std::string& path, std::function<HttpResponse(HttpCall&)> handler) {
  return HostRoute(path, "", std::move(handler), path);
}

class Endpoints : public testing::Test {
 protected:
  Endpoints() : host_(ends_.first) {
    EXPECT_TRUE(host_.Send({MessageKind::kSetUp, 0, {"a", "b"}}));
    // It may come with the first message.
    EXPECT_TRUE(host_.Send({MessageKind::kReload, 0, {"new"}}));
    process_ = std::make_unique<ProcessEndpoint>(ends_.second);
  }
  void Listen() {
    process_->Listen({[this] { ++stops_; }, [this] { ++reloads_; }});
  }
  void Ask(std::uint64_t id, const std::string& path) {
    EXPECT_TRUE(host_.Send({MessageKind::kRequest, id, {"GET", path, "", ""}}));
  }
  // The status and the body of the next answer.
  std::string Answer(std::uint64_t id) {
    if (!received_.ReceiveAtLeast(++answers_)) return "nothing";
    const Message& message = received_.messages.at(answers_ - 1);
    EXPECT_EQ(message.kind, MessageKind::kAnswer);
    EXPECT_EQ(message.id, id);
    return message.parts.at(0) + " " + message.parts.at(3);
  }

  const std::pair<int, int> ends_ = Link::MakePair();
  Link host_;
  std::unique_ptr<ProcessEndpoint> process_;
  Receiver received_{host_};
  std::size_t answers_ = 0;
  std::atomic<int> stops_{0}, reloads_{0};
};

TEST_F(Endpoints, HearWhatTheHostSays) {
  EXPECT_THAT(process_->set_up(), testing::ElementsAre("a", "b"));
  EXPECT_EQ(process_->TakeConfiguration(), std::nullopt);
  Listen();
  test::WaitUntil([&] { return reloads_ == 1; }, test::kTimeout, "the configuration");
  EXPECT_EQ(process_->TakeConfiguration(), "new");
  EXPECT_EQ(process_->TakeConfiguration(), std::nullopt);
  EXPECT_TRUE(host_.Send({MessageKind::kStop, 0, {}}));
  test::WaitUntil([&] { return stops_ == 1; }, test::kTimeout, "the order to stop");
}

TEST_F(Endpoints, StopWhenTheHostIsGone) {
  Listen();
  host_.Shut();
  test::WaitUntil([&] { return stops_ == 1; }, test::kTimeout, "the order to stop");
}

TEST_F(Endpoints, AnswerWhileARequestHangs) {
  Listen();
  Ask(1, "/hello");
  EXPECT_THAT(Answer(1), HasSubstr("503")) << "it serves nothing yet";
  std::atomic<bool> hanging{true}, reached{false}, interrupted{false};
  process_->Serve({Route("/hello",
                         [](HttpCall&) {
                           return HttpResponse{200, "hello"};
                         }),
                   Route("/hang",
                         [&](HttpCall& call) {
                           const HttpCall::Interrupt interrupt(call, [&] { interrupted = true; });
                           reached = true;
                           hanging.wait(true);
                           return HttpResponse{200, "late"};
                         })},
                  HttpLimits{});
  Ask(2, "/hang");
  Ask(3, "/hello");
  EXPECT_EQ(Answer(3), "200 hello");
  Ask(4, "/absent");
  EXPECT_THAT(Answer(4), HasSubstr("404"));
  // What is given up before its handler has begun never begins.
  test::WaitUntil([&] { return reached.load(); }, test::kTimeout, "the handler");
  EXPECT_TRUE(host_.Send({MessageKind::kGiveUp, 2, {}}));
  EXPECT_THAT(Answer(2), HasSubstr("503"));
  test::WaitUntil([&] { return interrupted.load(); }, test::kTimeout, "the interruption");
  hanging = false;
  hanging.notify_all();
  process_.reset();
}

TEST_F(Endpoints, SayWhyTheyEnd) {
  process_->SayHello("holder");
  process_->SayRunning();
  process_->SayEnd(Error{"SH-0401", "no database", "start it", "url", 0});
  ASSERT_TRUE(received_.ReceiveAtLeast(3));
  EXPECT_EQ(received_.messages[0], (Message{MessageKind::kHello, 0, {"holder"}}));
  EXPECT_EQ(received_.messages[1], (Message{MessageKind::kRuns, 0, {}}));
  EXPECT_EQ(received_.messages[2].kind, MessageKind::kEnd);
  EXPECT_EQ(received_.messages[2].parts.at(0), "SH-0401");
  EXPECT_EQ(received_.messages[2].parts.at(4), std::to_string(SUMMA_E_UNAVAILABLE));
}

}  // namespace
}  // namespace summa::host
