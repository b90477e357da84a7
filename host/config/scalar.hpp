// One scalar against its schema: conversion from text to the normalised form, with the reason when
// it is not possible. Shared by configurations and by the defaults inside schemas.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "host/config/schema.hpp"

namespace summa::host {

struct ScalarProblem {
  std::string code, problem, fix;
};

// Sets `normalised` or gives the problem. `shown` is how the text may appear in messages (quoted,
// or a phrase in place of a secret).
std::optional<ScalarProblem> ConvertScalar(const Schema& schema, std::string_view text,
                                           const std::string& shown, std::string& normalised);

// Whether so many characters or items are within the bounds.
std::optional<ScalarProblem> CheckLength(const Schema& schema, std::size_t count,
                                         const std::string& shown);

// "an integer", "a duration", ... for messages.
std::string_view TypeName(Schema::Type type);
bool IsScalar(Schema::Type type);

}  // namespace summa::host
