#include "coordinator/operations/operations.h"

#include <prometheus/text_serializer.h>

#include <sstream>
#include <utility>

#include "coordinator/operations/coordinator_metrics.h"
#include "coordinator/operations/process_metrics.h"

namespace lrtune {
namespace {

HttpAnswer health_page(const Health::Finding& finding) {
  return {.status = finding.good ? 200U : 503U, .body = finding.words + '\n'};
}

}  // namespace

struct Operations::Parts {
  explicit Parts(const OperationsOptions& options)
      : health(options.longest_turn, options.clock),
        since_turn(prometheus::BuildGauge()
                       .Name("lrtune_last_turn_age_seconds")
                       .Help("Time since the coordinator's loop came round")
                       .Register(registry)
                       .Add({})),
        ready(prometheus::BuildGauge()
                  .Name("lrtune_ready")
                  .Help("1: it takes work, as /readyz says")
                  .Register(registry)
                  .Add({})),
        metrics(registry, health),
        process(registry, options.store) {
    prometheus::BuildGauge()
        .Name("lrtune_build_info")
        .Help("The program's version; always 1")
        .Register(registry)
        .Add({{"version", options.version}})
        .Set(1);
  }

  HttpAnswer page(const std::string& path) {
    if (path == "/metrics") return {.content_type = kMetricsType, .body = metrics_text()};
    if (path == "/healthz") return health_page(health.live());
    if (path == "/readyz") return health_page(health.ready());
    return {.status = 404, .body = "there are /metrics, /healthz and /readyz\n"};
  }

  std::string metrics_text() {
    process.refresh();
    since_turn.Set(health.since_turn().count());
    ready.Set(health.ready().good ? 1 : 0);
    std::ostringstream text;
    prometheus::TextSerializer().Serialize(text, registry.Collect());
    return text.str();
  }

  static constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

  prometheus::Registry registry;
  Health health;
  prometheus::Gauge& since_turn;
  prometheus::Gauge& ready;
  CoordinatorMetrics metrics;
  ProcessMetrics process;
  std::unique_ptr<HttpServer> server;  // last: its thread uses all of the above
};

Operations::Operations(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Operations::~Operations() = default;

Result<std::unique_ptr<Operations>> Operations::start(const OperationsOptions& options) {
  const auto address = parse_listen_address(options.listen);
  if (!address) return tl::unexpected(address.error());
  auto parts = std::make_unique<Parts>(options);
  auto server = HttpServer::listen(
      *address, options.server, [all = parts.get()](const auto& path) { return all->page(path); });
  if (!server) return tl::unexpected(server.error());
  parts->server = *std::move(server);
  return std::unique_ptr<Operations>(new Operations(std::move(parts)));
}

RuntimeObserver& Operations::observer() { return parts_->metrics; }

void Operations::stopping() { parts_->health.stopping(); }

const ListenAddress& Operations::address() const { return parts_->server->address(); }

}  // namespace lrtune
