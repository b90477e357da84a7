#include "host/config/interpolate.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace summa::host {
namespace {

struct Filled {
  Node root;
  Diagnostics diagnostics;
  const Node& value() const { return *root.Find("v"); }
};

Filled Fill(const std::string& value) {
  Filled filled;
  Node node;
  node.kind = Node::Kind::kScalar;
  node.text = value;
  node.where = {"f.yaml", 3, 5};
  filled.root.kind = Node::Kind::kMap;
  filled.root.members.push_back({"v", {}, node});
  const Environment environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "NAME") return "world";
    if (name == "EMPTY") return "";
    if (name == "TRICKY") return "${NAME} $$ $NAME: [x]\n";
    if (name == "LATIN") return "b\xFCro";
    return std::nullopt;
  };
  Interpolate(filled.root, environment, filled.diagnostics);
  return filled;
}

std::string Text(const std::string& value) {
  const Filled filled = Fill(value);
  return filled.diagnostics.empty() ? filled.value().text : ToText(filled.diagnostics[0]);
}
std::string Code(const std::string& value) {
  const Filled filled = Fill(value);
  return filled.diagnostics.empty() ? "" : filled.diagnostics[0].code;
}

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content)
      : path_(std::filesystem::temp_directory_path() /
              ("summa-interpolate-" + std::to_string(::getpid()))) {
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

TEST(Interpolation, FillsVariablesAndDefaults) {
  EXPECT_EQ(Text("hello ${NAME}!"), "hello world!");
  EXPECT_EQ(Text("${NAME}${NAME}"), "worldworld");
  EXPECT_EQ(Text("${NOPE:-postgresql:///summa}"), "postgresql:///summa");
  EXPECT_EQ(Text("${EMPTY:-x}"), "x");
  EXPECT_EQ(Text("${EMPTY}"), "");
  EXPECT_EQ(Text("${NOPE:-}"), "");
  EXPECT_EQ(Text("${NAME:-x}${NAME:?y}"), "worldworld");
}

TEST(Interpolation, DoubleDollarIsADollar) {
  EXPECT_EQ(Text("a$$b"), "a$b");
  EXPECT_EQ(Text("$${NAME}"), "${NAME}");
  EXPECT_FALSE(Fill("a$$b").value().interpolated);
}

TEST(Interpolation, ValuesAreNotExpandedAgain) {
  EXPECT_EQ(Text("${TRICKY}"), "${NAME} $$ $NAME: [x]\n");
}

TEST(Interpolation, UnsetVariableIsAnErrorWithItsPlace) {
  EXPECT_EQ(Text("${NOPE}"),
            "f.yaml:3:5: v: environment variable NOPE is not set. Set it, or give a default with "
            "${NOPE:-default}.");
  EXPECT_EQ(Text("${NOPE:?ask the DBA}"),
            "f.yaml:3:5: v: environment variable NOPE is not set. ask the DBA.");
  EXPECT_EQ(Code("${EMPTY:?x}"), "SH-0204");
  EXPECT_TRUE(Fill("${NOPE}").value().unusable);
}

TEST(Interpolation, RefusesOtherForms) {
  for (const char* text : {"$NAME", "a$", "${NAME", "${}", "${1A}", "${A B}", "${NAME:=x}",
                           "${NAME:}", "${A:-${NAME}}", "${LATIN}"}) {
    EXPECT_EQ(Code(text), "SH-0223") << text;
  }
}

TEST(Interpolation, FilesLoseTheirLastLineEndAndAreSecret) {
  for (const char* content : {"s3cret", "s3cret\n", "s3cret\r\n"}) {
    const TemporaryFile file(content);
    const Filled filled = Fill("x${file:" + file.path() + "}y");
    EXPECT_EQ(filled.value().text, "xs3crety");
    EXPECT_TRUE(filled.value().secret);
    EXPECT_TRUE(filled.value().interpolated);
  }
}

TEST(Interpolation, FilesHaveALimit) {
  const TemporaryFile exact(std::string(64 * 1024, 'x') + "\r\n");
  EXPECT_EQ(Text("${file:" + exact.path() + "}").size(), 64u * 1024);
  const TemporaryFile more(std::string(64 * 1024 + 1, 'x'));
  EXPECT_EQ(Code("${file:" + more.path() + "}"), "SH-0224");
  const TemporaryFile huge(std::string(200 * 1024, 'x'));
  EXPECT_EQ(Code("${file:" + huge.path() + "}"), "SH-0224");
}

TEST(Interpolation, RefusesFilesThatAreNotUsable) {
  EXPECT_EQ(Code("${file:/nonexistent/x}"), "SH-0224");
  EXPECT_EQ(Code("${file:relative}"), "SH-0224");
  EXPECT_EQ(Code("${file:/tmp}"), "SH-0224");
  EXPECT_EQ(Code("${file:/dev/null}"), "SH-0224");
  for (const char* nothing : {"", "\n", "\r\n"}) {
    const TemporaryFile empty(nothing);
    EXPECT_EQ(Code("${file:" + empty.path() + "}"), "SH-0224");
  }
  const TemporaryFile binary(std::string("a\0b", 3));
  EXPECT_EQ(Code("${file:" + binary.path() + "}"), "SH-0224");
}

TEST(Interpolation, LeavesKeysAlone) {
  Diagnostics diagnostics;
  Node root = ParseDocument("\"${NAME}\": [\"${NAME}\", {a: \"${NAME}\"}]\n", "f", diagnostics);
  Interpolate(
      root, [](const std::string&) { return "x"; }, diagnostics);
  ASSERT_NE(root.Find("${NAME}"), nullptr);
  EXPECT_EQ(root.Find("${NAME}")->items[0].text, "x");
  EXPECT_EQ(root.Find("${NAME}")->items[1].Find("a")->text, "x");
}

TEST(Interpolation, TheEnvironmentOfTheProcessIsRead) {
  EXPECT_TRUE(ProcessEnvironment()("PATH").has_value());
  EXPECT_FALSE(ProcessEnvironment()("SUMMA_SURELY_NOT_SET").has_value());
}

}  // namespace
}  // namespace summa::host
