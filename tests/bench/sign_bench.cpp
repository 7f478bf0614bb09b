// What judging a signature costs, and whether its time tells anything: sign_bench [TRIES]
//
// TRIES (100,000) calls of `SigningKeys::verify` with as many leading digits right as chance draws, one after another: how time and that
// number go together, in standard deviations of what chance alone would show (r·√n). Then pairs of kinds, drawn by chance: right and wrong,
// an unknown key and a known one, by Welch's t. Of each call that took longer than nine in ten nothing is learned but that something else
// ran. A comparison that stops at the first digit that differs is the control: a rig that sees nothing there cannot tell. Exits with 1
// where all of three measurements are beyond three deviations, or the control is not.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "media/sign.hpp"

namespace {

using media::SigningKeys;

constexpr int kRepetitions = 3;
constexpr double kDeviations = 3;

struct Call {
  double kind = 0;
  double nanoseconds = 0;
};

/// Times `judge` of `tries` signatures that `draw` makes, beside the number by which it calls each.
std::vector<Call> times(std::size_t tries, const std::function<std::pair<std::string, double>()>& draw,
                        const std::function<bool(const std::string&)>& judge) {
  std::vector<Call> calls;
  calls.reserve(tries);
  volatile bool seen = false;
  for (std::size_t i = 0; i < tries; ++i) {
    const auto [signature, kind] = draw();
    const auto begin = std::chrono::steady_clock::now();
    seen = judge(signature);
    calls.push_back({kind, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count()});
  }
  std::vector<double> sorted;
  for (const Call& call : calls) sorted.push_back(call.nanoseconds);
  const auto ninth = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() * 9 / 10);
  std::nth_element(sorted.begin(), ninth, sorted.end());
  std::erase_if(calls, [limit = *ninth](const Call& call) { return call.nanoseconds > limit; });
  return calls;
}

struct Moments {
  double count = 0;
  double mean = 0;
  double variance = 0;
};

template <class Calls, class Value>
Moments moments(const Calls& calls, Value value) {
  Moments out;
  for (const Call& call : calls) out.mean += value(call);
  out.count = static_cast<double>(calls.size());
  out.mean /= out.count;
  for (const Call& call : calls) out.variance += (value(call) - out.mean) * (value(call) - out.mean);
  out.variance /= out.count - 1;
  return out;
}

double kind_of(const Call& call) { return call.kind; }
double time_of(const Call& call) { return call.nanoseconds; }

double correlation_in_deviations(const std::vector<Call>& calls) {
  const Moments kinds = moments(calls, kind_of);
  const Moments all = moments(calls, time_of);
  double together = 0;
  for (const Call& call : calls) together += (call.kind - kinds.mean) * (call.nanoseconds - all.mean);
  return together / (all.count - 1) / std::sqrt(kinds.variance * all.variance) * std::sqrt(all.count);
}

/// Of kind 1 against kind 0.
double welch(const std::vector<Call>& calls, double& difference) {
  std::array<std::vector<Call>, 2> sides;
  for (const Call& call : calls) sides[call.kind == 0 ? 0 : 1].push_back(call);
  const Moments zero = moments(sides[0], time_of);
  const Moments one = moments(sides[1], time_of);
  difference = one.mean - zero.mean;
  return difference / std::sqrt(zero.variance / zero.count + one.variance / one.count);
}

bool stops_early(const std::string& signature, const std::string& right) {
  for (std::size_t i = 0; i < right.size(); ++i) {
    if (static_cast<const volatile char&>(signature[i]) != right[i]) return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t tries = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  if (tries < 1000) {
    std::fprintf(stderr, "usage: sign_bench [TRIES, 1000 at least]\n");
    return 2;
  }
  const auto opened = SigningKeys::open({"6f1ed002ab5595859014ebf0951522d9", "c7be1ed902fb8dd4d48997c6452f5d7e"});
  const SigningKeys& keys = opened.value();
  const std::string known = keys.key_id();
  const std::vector<std::string_view> fields = {"GET", "/media/7/download", "expires", "1764000900", "key", known};
  const std::string right = keys.sign("bench", fields);
  std::mt19937_64 chance(std::random_device{}());

  // So many digits right, the next one wrong, and chance behind it.
  const auto with_leading = [&](std::size_t leading) {
    std::string signature = right;
    for (std::size_t i = leading; i < signature.size(); ++i) {
      do signature[i] = "0123456789abcdef"[chance() % 16];
      while (i == leading && signature[i] == right[i]);
    }
    return signature;
  };
  const auto leading = [&]() -> std::pair<std::string, double> {
    const std::size_t count = chance() % right.size();
    return {with_leading(count), static_cast<double>(count)};
  };
  const auto verify_by = [&](const std::string& key) {
    return [&keys, &fields, key](const std::string& signature) { return keys.verify(key, "bench", fields, signature); };
  };
  static_cast<void>(times(tries / 10, leading, verify_by(known)));  // warm

  bool good = true;
  const auto report = [&](const char* what, const std::array<double, kRepetitions>& deviations, double difference) {
    const bool told = std::all_of(deviations.begin(), deviations.end(), [](double each) { return std::abs(each) > kDeviations; });
    std::printf("%s: %+.1f, %+.1f, %+.1f deviations", what, deviations[0], deviations[1], deviations[2]);
    std::printf(difference == 0 ? "\n" : " (%+.2f ns)\n", difference);
    return told;
  };
  const auto correlate = [&](const std::function<bool(const std::string&)>& judge) {
    std::array<double, kRepetitions> deviations{};
    for (double& each : deviations) each = correlation_in_deviations(times(tries, leading, judge));
    return deviations;
  };

  const auto calls = times(tries, leading, verify_by(known));
  std::printf("%zu calls of verify: %.0f ns each\n", tries, moments(calls, time_of).mean);
  good &= !report("digits that are right, and time", correlate(verify_by(known)), 0);

  struct Pair {
    const char* what;
    std::function<std::pair<std::string, double>()> draw;
    std::function<bool(const std::string&)> judge;
  };
  double kind = 0;
  const auto either = [&] { return kind = static_cast<double>(chance() % 2); };
  const auto strange = verify_by("0000000000");
  const auto usual = verify_by(known);
  const std::vector<Pair> pairs = {
      {"wrong, beside right",
       [&]() -> std::pair<std::string, double> {
         const bool wrong = either() == 1;
         std::string signature = with_leading(chance() % right.size());  // drawn either way, so that what goes before is the same
         return {wrong ? signature : right + signature.substr(64), kind};
       },
       usual},
      {"unknown key, beside a known one", [&]() -> std::pair<std::string, double> { return {with_leading(0), either()}; },
       [&](const std::string& signature) { return kind == 1 ? strange(signature) : usual(signature); }},
  };
  for (const Pair& pair : pairs) {
    std::array<double, kRepetitions> deviations{};
    double difference = 0;
    for (double& each : deviations) each = welch(times(tries, pair.draw, pair.judge), difference);
    good &= !report(pair.what, deviations, difference);
  }

  const auto naive = [&](const std::string& signature) { return keys.sign("bench", fields).size() == 64 && stops_early(signature, right); };
  if (!report("control, a comparison that stops early", correlate(naive), 0)) {
    std::fprintf(stderr, "sign_bench: the control shows nothing: this tells nothing\n");
    return 1;
  }
  if (!good) std::fprintf(stderr, "sign_bench: the time of a judgement tells something\n");
  return good ? 0 : 1;
}
