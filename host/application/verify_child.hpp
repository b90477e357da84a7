// The process in which `plugins verify` calls a plugin: one check, then the end. What it finds goes
// to a pipe as records, at once, so that nothing is lost when the plugin breaks the process.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/application/verify_subject.hpp"

namespace summa::host {

// `summa-host --verify-plugin ...`, by nobody but the verb.
inline constexpr const char* kVerifyPlugin = "--verify-plugin";
// Where the child writes its records.
inline constexpr int kVerifyRecords = 3;

// The check of the host itself: load, create and configure the plugin as a host does.
inline constexpr std::string_view kLoadCheck = "load";

std::vector<std::string> VerifyArguments(std::string_view check, const VerifySettings& settings);
// What the child does; gives its exit code, or does not return when a call has not.
int VerifyInChild(const std::vector<std::string>& arguments);

// One line: the kind, and texts without line breaks.
struct VerifyRecord {
  enum class Kind {
    kCall,    // texts: what is called now
    kResult,  // texts: check, outcome, found, expected
    kLent,    // texts: what was touched that was only lent
    kStuck,   // the check is over, because a call does not return
    kEnd      // the check is over
  };
  Kind kind = Kind::kCall;
  std::vector<std::string> texts;
};
std::string ToLine(const VerifyRecord& record);
VerifyRecord ReadRecord(std::string_view line);  // what is no record has no texts

}  // namespace summa::host
