/* The sizes of the structs of the C ABI on 64-bit Linux (LP64), in bytes. A binding in another language compares
 * itself with these; docs/abi.md quotes them. */
#include <summa/abi/activity.h>
#include <summa/abi/bus.h>
#include <summa/abi/clock.h>
#include <summa/abi/command.h>
#include <summa/abi/endpoint.h>
#include <summa/abi/health.h>
#include <summa/abi/lease.h>
#include <summa/abi/log.h>
#include <summa/abi/metrics.h>
#include <summa/abi/operation.h>
#include <summa/abi/plugin.h>
#include <summa/abi/projection.h>
#include <summa/abi/registry.h>
#include <summa/abi/reload.h>
#include <summa/abi/sql.h>
#include <summa/abi/worker.h>

#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "docs/abi.md says another size")

/* plugin.h */
SIZE(summa_str, 16);
SIZE(summa_error, 800);
SIZE(summa_config, 32);
SIZE(summa_host, 56);
SIZE(summa_plugin, 56);
SIZE(summa_entry, 48);

/* activity.h */
SIZE(summa_activity_v1, 32);

/* bus.h */
SIZE(summa_bus_message, 152);
SIZE(summa_bus_receipt, 256);
SIZE(summa_bus_subscription_options, 56);
SIZE(summa_bus_delivery, 192);
SIZE(summa_bus_scan_options, 56);
SIZE(summa_bus_horizon, 48);
SIZE(summa_bus_dead_letter, 232);
SIZE(summa_bus_stream, 40);
SIZE(summa_bus_group, 96);
SIZE(summa_bus_trimmed, 64);
SIZE(summa_bus_left_out, 56);
SIZE(summa_bus_visitor, 56);
SIZE(summa_bus_v1, 216);

/* clock.h */
SIZE(summa_clock_v1, 32);

/* command.h */
SIZE(summa_command_call, 80);
SIZE(summa_command_v1, 24);
SIZE(summa_status_v1, 24);

/* endpoint.h */
SIZE(summa_request, 96);
SIZE(summa_response, 56);
SIZE(summa_route, 56);
SIZE(summa_endpoint_v1, 16);

/* health.h */
SIZE(summa_finding, 72);
SIZE(summa_examination, 40);
SIZE(summa_health_v1, 32);

/* lease.h */
SIZE(summa_lease_view, 144);
SIZE(summa_lease_v1, 24);

/* log.h */
SIZE(summa_log_field, 32);
SIZE(summa_log_v1, 32);

/* metrics.h */
SIZE(summa_label, 32);
SIZE(summa_metrics_v1, 64);

/* operation.h */
SIZE(summa_operation_request, 56);
SIZE(summa_operation_view, 624);
SIZE(summa_operation_progress, 56);
SIZE(summa_operation_step, 152);
SIZE(summa_operation_run, 80);
SIZE(summa_operation_v1, 40);

/* projection.h */
SIZE(summa_uuid, 16);
SIZE(summa_projection_account, 88);
SIZE(summa_projection_transaction, 224);
SIZE(summa_projection_event, 256);
SIZE(summa_projection_batch, 72);
SIZE(summa_projection_table, 48);
SIZE(summa_projection, 104);
SIZE(summa_projection_v1, 16);

/* registry.h */
SIZE(summa_registry_v1, 32);

/* reload.h */
SIZE(summa_reload_v1, 24);

/* sql.h */
SIZE(summa_sql_parameter, 24);
SIZE(summa_sql_v1, 152);

/* worker.h */
SIZE(summa_tick, 64);
SIZE(summa_tick_result, 24);
SIZE(summa_worker, 40);
SIZE(summa_worker_v1, 16);
