#include "plugins/bus-kafka/client.hpp"

#include <openssl/x509_vfy.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace summa::bus_kafka {
namespace {

constexpr std::size_t kErrorText = 512;
constexpr const char* kStatisticsMilliseconds = "15000";

struct Forbidden {
  std::string_view name, reason;
};
// Each of these carries a promise; the plugin sets them itself.
constexpr std::array kForbidden = {
    Forbidden{"acks", "a message is confirmed when all replicas in sync have it"},
    Forbidden{"request.required.acks", "a message is confirmed when all replicas in sync have it"},
    Forbidden{"enable.idempotence", "it keeps the order when a request is repeated"},
    Forbidden{"enable.gapless.guarantee", "without it a failed message leaves a hole"},
    Forbidden{"message.timeout.ms", "a message that times out leaves a hole: set publish_timeout"},
    Forbidden{"delivery.timeout.ms", "a message that times out leaves a hole: set publish_timeout"},
    Forbidden{"partitioner", "the Java client must choose the same partition for a key"},
    Forbidden{"max.in.flight", "more than 5 change the order"},
    Forbidden{"max.in.flight.requests.per.connection", "more than 5 change the order"},
    Forbidden{"transactional.id", "the bus does not use transactions"},
    Forbidden{"enable.auto.commit", "only what is settled is committed"},
    Forbidden{"enable.auto.offset.store", "only what is settled is committed"},
    Forbidden{"auto.offset.reset", "a place that retention has overtaken must be reported"},
    Forbidden{"enable.partition.eof", "a poll without a wait needs it"},
    Forbidden{"partition.assignment.strategy", "rebalances are cooperative"},
    Forbidden{"group.id", "it names group and stream: see group_prefix"},
    Forbidden{"group.instance.id", "set static_members"},
    Forbidden{"allow.auto.create.topics", "set create_topics"},
    Forbidden{"bootstrap.servers", "set brokers"},
    Forbidden{"metadata.broker.list", "set brokers"},
    Forbidden{"queued.max.messages.kbytes", "set max_prefetch_bytes"},
    Forbidden{"queue.buffering.max.kbytes", "set max_buffer_bytes"},
    Forbidden{"message.max.bytes", "set max_message_bytes"},
    Forbidden{"sasl.username", "set user"},
    Forbidden{"sasl.password", "set password"},
    Forbidden{"isolation.level", "what a scan counts would not be what it delivers"},
    Forbidden{"test.mock.num.brokers", "it is for tests of librdkafka"},
};

using Conf = std::unique_ptr<rd_kafka_conf_t, Destroy<rd_kafka_conf_destroy>>;

void Set(rd_kafka_conf_t* conf, const Setting& setting) {
  std::array<char, kErrorText> text{};
  if (rd_kafka_conf_set(conf, setting.first.c_str(), setting.second.c_str(), text.data(),
                        text.size()) == RD_KAFKA_CONF_OK) {
    return;
  }
  throw Error(SUMMA_E_CONFIG, "SH-0646",
              "librdkafka does not accept " + setting.first + ": " + text.data(),
              "correct plugins.bus-kafka; CONFIGURATION.md of librdkafka lists its settings");
}

bool IsOfAccess(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return true;
    default:
      return false;
  }
}

bool IsOfLogin(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
         error == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
         error == RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM ||
         error == RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE;
}

// These say more than that no broker can be reached.
bool SaysWhy(rd_kafka_resp_err_t error) {
  return IsOfLogin(error) || error == RD_KAFKA_RESP_ERR__SSL;
}

}  // namespace

void RefuseForbidden(const Settings& options) {
  const Conf conf(rd_kafka_conf_new());
  for (const Setting& option : options) {
    const auto forbidden =
        std::find_if(kForbidden.begin(), kForbidden.end(),
                     [&](const Forbidden& each) { return each.name == option.first; });
    if (forbidden != kForbidden.end()) {
      throw Error(SUMMA_E_CONFIG, "SH-0646",
                  "plugins.bus-kafka.options." + option.first +
                      " cannot be set: " + std::string(forbidden->reason),
                  "remove it");
    }
    Set(conf.get(), option);
  }
}

PartitionList MakePartitionList(std::size_t size) {
  return PartitionList(rd_kafka_topic_partition_list_new(static_cast<int>(size)));
}

Client::Client(const ClientOptions& options, rd_kafka_type_t type, const Settings& settings,
               ClientEvents* events)
    : events_(events),
      login_(options.login),
      // Only who polls is told.
      statistics_(events == nullptr ? nullptr : options.statistics),
      purpose_(type == RD_KAFKA_PRODUCER ? "publish" : "subscribe") {
  Conf conf(rd_kafka_conf_new());
  Set(conf.get(), {"bootstrap.servers", options.brokers});
  Set(conf.get(), {"client.id", options.client_id});
  Set(conf.get(), {"log.connection.close", "false"});
  Set(conf.get(), {"reconnect.backoff.max.ms", "2000"});
  for (const Setting& setting : options.security) Set(conf.get(), setting);
  const Login::Words words = login_ ? login_->words() : Login::Words();
  if (!words.first.empty()) {
    Set(conf.get(), {"sasl.username", words.first});
    Set(conf.get(), {"sasl.password", words.second});
  }
  if (statistics_) {
    Set(conf.get(), {"statistics.interval.ms", kStatisticsMilliseconds});
    rd_kafka_conf_set_stats_cb(conf.get(), &Client::OnStatistics);
  }
  if (type == RD_KAFKA_CONSUMER) {
    // From 2.2 on it is this time, and not a second, until a full queue is looked at again.
    static_cast<void>(rd_kafka_conf_set(conf.get(), "fetch.queue.backoff.ms", "10", nullptr, 0));
  }
  for (const Setting& setting : options.options) Set(conf.get(), setting);
  for (const Setting& setting : settings) Set(conf.get(), setting);
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_error_cb(conf.get(), &Client::OnError);
  rd_kafka_conf_set_log_cb(conf.get(), &Client::OnLog);
  rd_kafka_conf_set_ssl_cert_verify_cb(conf.get(), &Client::OnCertificate);
  if (events != nullptr && type == RD_KAFKA_PRODUCER) {
    rd_kafka_conf_set_dr_msg_cb(conf.get(),
                                [](rd_kafka_t*, const rd_kafka_message_t* message, void* self) {
                                  static_cast<Client*>(self)->events_->Delivered(*message);
                                });
  }
  if (events != nullptr && type == RD_KAFKA_CONSUMER) {
    rd_kafka_conf_set_rebalance_cb(
        conf.get(),
        [](rd_kafka_t*, rd_kafka_resp_err_t kind, rd_kafka_topic_partition_list_t* partitions,
           void* self) { static_cast<Client*>(self)->events_->Rebalance(kind, partitions); });
  }
  std::array<char, kErrorText> text{};
  client_ = rd_kafka_new(type, conf.get(), text.data(), text.size());
  if (client_ == nullptr) {
    throw Error(SUMMA_E_CONFIG, "SH-0646",
                std::string("a client of Kafka cannot be made: ") + text.data(),
                "correct plugins.bus-kafka");
  }
  static_cast<void>(conf.release());  // the client has it
  if (login_) login_->Add(client_);
}

Client::~Client() {
  if (client_ == nullptr) return;
  if (login_) login_->Remove(client_);
  rd_kafka_destroy_flags(client_, destroy_flags_);
  if (statistics_) statistics_->Forget(this);
}

int Client::OnStatistics(rd_kafka_t*, char* json, std::size_t size, void* self) {
  auto* client = static_cast<Client*>(self);
  client->statistics_->Update(client, client->purpose_, {json, size});
  return 0;  // librdkafka keeps the text
}

void Client::OnError(rd_kafka_t*, int error, const char* reason, void* self) {
  auto* client = static_cast<Client*>(self);
  const auto code = static_cast<rd_kafka_resp_err_t>(error);
  client->Note(code, reason);
  if (client->events_ != nullptr) client->events_->Failed(code);
}

// The log says why a server is not reached also where nobody polls the client.
void Client::OnLog(const rd_kafka_t* client, int level, const char*, const char* text) {
  constexpr int kLevelError = 3;
  auto* self = static_cast<Client*>(rd_kafka_opaque(client));
  if (level > kLevelError || self == nullptr) return;
  const MutexLock lock(self->mutex_);
  if (!SaysWhy(self->failure_)) self->reason_ = text;
}

// librdkafka itself says of every certificate that it could not be verified. Changes no judgement.
int Client::OnCertificate(rd_kafka_t*, const char*, std::int32_t, int* problem, int, const char*,
                          std::size_t, char* text, std::size_t text_size, void* self) {
  if (*problem == X509_V_OK) return 1;
  const char* what = X509_verify_cert_error_string(*problem);
  std::snprintf(text, text_size, "%s", what);
  auto* client = static_cast<Client*>(self);
  const MutexLock lock(client->mutex_);
  client->certificate_ = what;
  return 0;
}

void Client::Note(rd_kafka_resp_err_t error, const char* reason) {
  const MutexLock lock(mutex_);
  if (SaysWhy(failure_) && !SaysWhy(error)) return;
  failure_ = error;
  // "1/1 brokers are down" says less than the log did.
  if (error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || reason_.empty()) reason_ = reason;
  if (error == RD_KAFKA_RESP_ERR__SSL && !certificate_.empty()) {
    reason_ = "certificate of a broker: " + certificate_ + " (" + reason + ")";
  }
}

std::string Client::Failure() const {
  const MutexLock lock(mutex_);
  if (!reason_.empty()) return reason_;
  return failure_ == RD_KAFKA_RESP_ERR_NO_ERROR ? "" : rd_kafka_err2str(failure_);
}

void Client::Succeeded() {
  const MutexLock lock(mutex_);
  failure_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  reason_.clear();
  certificate_.clear();
}

Error Client::Meaning(rd_kafka_resp_err_t error, const std::string& what) const {
  rd_kafka_resp_err_t known = RD_KAFKA_RESP_ERR_NO_ERROR;
  {
    const MutexLock lock(mutex_);
    known = failure_;
  }
  const std::string failure = Failure();
  const Error meant = ErrorFor(error, what);
  if (meant.status() != SUMMA_E_UNAVAILABLE || failure.empty()) {
    return ErrorFor(error, what + ": " + rd_kafka_err2str(error));
  }
  return ErrorFor(SaysWhy(known) ? known : error, what + ": " + failure);
}

void Client::Throw(rd_kafka_resp_err_t error, const std::string& what) const {
  throw Meaning(error, what);
}

void Client::Check(rd_kafka_resp_err_t error, const std::string& what) const {
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) Throw(error, what);
}

namespace {

// Earlier versions repeat their nonce in SCRAM, which Kafka 4 refuses.
constexpr int kScramRepeatsNoNonce = 0x020601ff;  // 2.6.1

std::string HintForLogin(const std::string& text) {
  std::string hint = "correct user, password and sasl_mechanism of plugins.bus-kafka";
  if (text.find("SCRAM") != std::string::npos && rd_kafka_version() < kScramRepeatsNoNonce) {
    hint += std::string("; Kafka 4 refuses every SCRAM login of librdkafka ") +
            rd_kafka_version_str() + ": it needs 2.6.1, or use PLAIN with security sasl_tls";
  }
  return hint;
}

}  // namespace

Error ErrorFor(rd_kafka_resp_err_t error, const std::string& text) {
  if (IsOfAccess(error)) {
    return {SUMMA_E_DENIED, "SH-0643", text,
            "allow the user of plugins.bus-kafka what the README of bus-kafka lists (kafka-acls)"};
  }
  if (IsOfLogin(error)) {
    return {SUMMA_E_UNAVAILABLE, "SH-0641", text, HintForLogin(text)};
  }
  switch (error) {
    case RD_KAFKA_RESP_ERR__SSL:
      return {SUMMA_E_UNAVAILABLE, "SH-0642", text,
              "check the certificate of Kafka, and tls_ca_file of plugins.bus-kafka"};
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND:
      return {SUMMA_E_NOT_FOUND, "SH-0607", text, "`summa-host bus streams` lists what exists"};
    case RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_GROUP_SUBSCRIBED_TO_TOPIC:
      return {SUMMA_E_TRY_LATER, "SH-0647", text,
              "stop the consumers of the group (summa-host workers pause), then try again"};
    default:
      return {SUMMA_E_UNAVAILABLE, "SH-0640", text,
              "start Kafka or correct plugins.bus-kafka.brokers"};
  }
}

}  // namespace summa::bus_kafka
