#include "media/trace.hpp"

#include <mutex>
#include <thread>
#include <tuple>

#include "catch.hpp"

using namespace media;

namespace {

class Recorder final : public Tracer {
 public:
  [[nodiscard]] bool samples(const TraceId&) const noexcept override { return sampling; }
  void record(FinishedSpan span) noexcept override {
    const std::lock_guard lock(mutex_);
    spans.push_back(std::move(span));
  }
  bool sampling = true;
  std::vector<FinishedSpan> spans;

 private:
  std::mutex mutex_;
};

constexpr const char* kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

}  // namespace

TEST_CASE("a traceparent is read as the specification has it, and nothing else is") {
  const auto context = from_traceparent(kParent);
  REQUIRE(context);
  CHECK(context->sampled);
  CHECK(context->trace_id[0] == 0x0a);
  CHECK(context->span_id[7] == 0x31);
  CHECK(to_traceparent(*context) == kParent);
  // Of the flags only the first bit is known; the others must not matter.
  CHECK_FALSE(from_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-fe")->sampled);
  CHECK(from_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03")->sampled);
  for (const std::string text :
       {"", "00", "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
        "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01", "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}) {
    CAPTURE(text);
    CHECK_FALSE(from_traceparent(text));
  }
}

TEST_CASE("spans nest on their thread, and end before what began them") {
  Recorder recorder;
  {
    const TraceScope scope({&recorder, std::nullopt});
    const Span stray("nobody's");
    CHECK_FALSE(stray.context());
    Span root("GET /", SpanKind::server, from_traceparent(kParent));
    root.set("status", 200);
    {
      Span child("child");
      child.set("name", "value");
      child.fail();
      const Span grandchild("grandchild");
    }
    const Span second("second");
  }
  REQUIRE(recorder.spans.size() == 4);
  const auto& [grandchild, child, second, root] = std::tie(recorder.spans[0], recorder.spans[1], recorder.spans[2], recorder.spans[3]);
  CHECK(root.name == "GET /");
  CHECK(root.kind == SpanKind::server);
  CHECK(root.parent == from_traceparent(kParent)->span_id);
  CHECK(root.context.trace_id == from_traceparent(kParent)->trace_id);
  CHECK_FALSE(root.failed);
  CHECK(std::get<std::int64_t>(root.attributes.at(0).second) == 200);
  CHECK(child.parent == root.context.span_id);
  CHECK(child.failed);
  CHECK(child.kind == SpanKind::internal);
  CHECK(grandchild.parent == child.context.span_id);
  CHECK(second.parent == root.context.span_id);
  CHECK(second.context.span_id != child.context.span_id);
  CHECK((child.begun >= root.begun && child.ended <= root.ended));
  CHECK(TraceScope::current().tracer == nullptr);
}

TEST_CASE("a trace that is not sampled records nothing, and says so to those who go on with it") {
  Recorder recorder;
  recorder.sampling = false;
  const TraceScope scope({&recorder, std::nullopt});
  {
    const Span root("job", SpanKind::consumer, std::nullopt);
    REQUIRE(root.context());
    CHECK_FALSE(root.context()->sampled);
    const Span child("child");
    CHECK(to_traceparent(*child.context()).ends_with("-00"));
  }
  {
    // Whoever calls has decided, whatever this process would have chosen.
    const Span asked("job", SpanKind::consumer, from_traceparent(kParent));
  }
  REQUIRE(recorder.spans.size() == 1);
  CHECK(recorder.spans[0].parent == from_traceparent(kParent)->span_id);
}

TEST_CASE("a span that is suspended goes on elsewhere as the same one") {
  Recorder recorder;
  Span::Suspended suspended;
  {
    const TraceScope scope({&recorder, std::nullopt});
    Span span("first asked", SpanKind::server, std::nullopt);
    suspended = span.suspend();
  }
  CHECK(recorder.spans.empty());
  std::thread([&] {
    const TraceScope scope({&recorder, std::nullopt});
    const Span span("asked again", SpanKind::server, suspended);
    const Span child("child");
  }).join();
  REQUIRE(recorder.spans.size() == 2);
  CHECK(recorder.spans[1].context == suspended.context);
  CHECK(recorder.spans[1].begun == suspended.begun);
  CHECK(recorder.spans[0].parent == suspended.context.span_id);
}

TEST_CASE("a thread carries a trace on where it was handed over") {
  Recorder recorder;
  Tracing tracing;
  SpanId parent{};
  {
    const TraceScope scope({&recorder, std::nullopt});
    const Span root("root", SpanKind::server, std::nullopt);
    parent = root.context()->span_id;
    tracing = TraceScope::current();
  }
  std::thread([&] {
    CHECK_FALSE(Span("outside").context());
    const TraceScope scope(tracing);
    const Span span("inside");
  }).join();
  REQUIRE(recorder.spans.size() == 2);
  CHECK(recorder.spans[1].parent == parent);
}
