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

struct Try {
  std::string signature;
  double kind = 0;
};

/// Times `judge` of `tries` that `draw` makes. They are all made before, and each is copied to the same place first: what drawing it took
/// and where it lay would show.
std::vector<Call> times(std::size_t tries, const std::function<Try()>& draw, const std::function<bool(const Try&)>& judge) {
  std::vector<Try> drawn;
  drawn.reserve(tries);
  while (drawn.size() < tries) drawn.push_back(draw());
  std::vector<Call> calls;
  calls.reserve(tries);
  std::size_t taken = 0;
  Try now{std::string(64, ' '), 0};
  for (const Try& each : drawn) {
    now.signature.assign(each.signature);
    now.kind = each.kind;
    const auto begin = std::chrono::steady_clock::now();
    const bool good = judge(now);
    const auto end = std::chrono::steady_clock::now();
    if (good) ++taken;
    calls.push_back({each.kind, std::chrono::duration<double, std::nano>(end - begin).count()});
  }
  if (taken == tries) std::printf("every signature was taken: this measures nothing\n");
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
  const auto leading = [&] {
    const std::size_t count = chance() % right.size();
    return Try{with_leading(count), static_cast<double>(count)};
  };
  const auto verify = [&](const Try& one) { return keys.verify(known, "bench", fields, one.signature); };
  static_cast<void>(times(tries / 10, leading, verify));  // warm

  bool good = true;
  const auto report = [&](const char* what, const std::array<double, kRepetitions>& deviations, double difference) {
    const bool told = std::all_of(deviations.begin(), deviations.end(), [](double each) { return std::abs(each) > kDeviations; });
    std::printf("%s: %+.1f, %+.1f, %+.1f deviations", what, deviations[0], deviations[1], deviations[2]);
    std::printf(difference == 0 ? "\n" : " (%+.2f ns)\n", difference);
    return told;
  };
  const auto correlate = [&](const std::function<bool(const Try&)>& judge) {
    std::array<double, kRepetitions> deviations{};
    for (double& each : deviations) each = correlation_in_deviations(times(tries, leading, judge));
    return deviations;
  };

  const auto calls = times(tries, leading, verify);
  std::printf("%zu calls of verify: %.0f ns each\n", tries, moments(calls, time_of).mean);
  good &= !report("digits that are right, and time", correlate(verify), 0);

  struct Pair {
    const char* what;
    std::function<Try()> draw;
    std::function<bool(const Try&)> judge;
  };
  const auto either = [&] { return static_cast<double>(chance() % 2); };
  const std::array<std::string, 2> names = {known, "0000000000"};
  const std::vector<Pair> pairs = {
      {"wrong, beside right",
       [&] {
         const double kind = either();
         return Try{kind == 1 ? with_leading(chance() % right.size()) : right, kind};
       },
       verify},
      {"unknown key, beside a known one", [&] { return Try{with_leading(0), either()}; },
       [&](const Try& one) { return keys.verify(names[one.kind == 0 ? 0 : 1], "bench", fields, one.signature); }},
  };
  for (const Pair& pair : pairs) {
    std::array<double, kRepetitions> deviations{};
    double difference = 0;
    for (double& each : deviations) each = welch(times(tries, pair.draw, pair.judge), difference);
    good &= !report(pair.what, deviations, difference);
  }

  const auto naive = [&](const Try& one) { return keys.sign("bench", fields).size() == 64 && stops_early(one.signature, right); };
  if (!report("control, a comparison that stops early", correlate(naive), 0)) {
    std::fprintf(stderr, "sign_bench: the control shows nothing: this tells nothing\n");
    return 1;
  }
  if (!good) std::fprintf(stderr, "sign_bench: the time of a judgement tells something\n");
  return good ? 0 : 1;
}
