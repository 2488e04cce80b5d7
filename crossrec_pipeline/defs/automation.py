"""When an asset is rebuilt: conditions, the sensor that acts on them, and the log of failures.

`data_version_changed` is an edge: it is true on one tick only. Everything below exists so that
the edge is not lost: while the asset is already running, while a gate is closed, or when the run
it asked for failed.
"""

import dagster as dg

_Condition = dg.AutomationCondition


def _pending(changed: dg.AutomationCondition) -> dg.AutomationCondition:
    """Remember `changed` until it was acted on, and act when nothing stands in the way.

    A plain edge would be lost if it came while the asset is in progress or a blocking check of a
    parent has failed; `since(newly_requested)` keeps it. `newly_updated` was rejected as the
    reset: it would also forget a change that arrived while the rebuild was running.

    A failed run is asked for once more, and not again before something changes: what failed twice
    on the same content will fail a third time.
    """
    change = changed | _Condition.newly_missing() | _Condition.code_version_changed()
    # `execution_failed` is false while the second run is going, so its own edge would be seen
    # again when that fails too.
    first_failure = (
        _Condition.execution_failed()
        .newly_true()
        .since(change | _Condition.newly_updated() | _Condition.initial_evaluation())
        .newly_true()
        .with_label("first_failure")
    )
    # A quick run may have failed by the tick after its request, where the request still counts.
    acted_on = _Condition.newly_requested() & ~first_failure
    pending = (
        (change | first_failure)
        .since(acted_on | _Condition.initial_evaluation())
        .with_label("pending")
    )
    return (
        pending
        & ~_Condition.any_deps_missing()
        & ~_Condition.any_deps_in_progress()
        & ~_Condition.in_progress()
        & _Condition.all_deps_blocking_checks_passed()
    )


def with_upstream(*, ignoring: dg.AssetSelection | None = None) -> dg.AutomationCondition:
    """Join the run that rebuilds the parent; for cheap assets.

    Parents in `ignoring` do not set it off: they are read, and also reach the asset by a longer
    way, on which it must wait for them.

    The parent's new content is not known yet when it is asked for, so this also rebuilds where
    the parent turns out to be equal. Blocking checks hold within the run.
    """
    updated = _Condition.any_deps_updated()
    if ignoring is not None:
        updated = updated.ignore(ignoring)
    return _pending(updated.replace("newly_updated", _Condition.data_version_changed()))


def after_upstream() -> dg.AutomationCondition:
    """Have a run of its own, once a parent's content really moved; for what must not be repeated.

    Prevents a retraining that nothing asked for: a file rewritten with equal bytes, or changed in
    white space only, moves no data version downstream of the cleaned table. One of several parents
    may move before another that is on its way: what is asked for on the same tick is waited for,
    else a model would be trained in the run of its sessions, beside rivals of the old ones.
    """
    moved = _Condition.data_version_changed() & ~_Condition.executed_with_root_target()
    on_their_way = _Condition.any_deps_match(_Condition.will_be_requested())
    return _pending(_Condition.any_deps_match(moved)) & ~on_their_way


def automation_sensor() -> dg.AutomationConditionSensorDefinition:
    """Evaluate the conditions of all assets; on by default, since sensors are off otherwise."""
    return dg.AutomationConditionSensorDefinition(
        name="rebuild_what_changed",
        target=dg.AssetSelection.all(include_sources=True),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=5,
        description="Rebuilds an asset when, and only when, the content of its inputs changes.",
    )


@dg.run_failure_sensor(
    name="log_failed_runs",
    default_status=dg.DefaultSensorStatus.RUNNING,
    monitor_all_code_locations=False,
    description="Logs one line for every failed run, with the step and its message.",
)
def log_failed_runs(context: dg.RunFailureSensorContext) -> None:
    """Log the failed steps of a run, so that log collectors can alert on one line."""
    run = context.dagster_run
    failures = [
        f"{event.step_key}: {_innermost(event.step_failure_data.error)}"
        for event in context.get_step_failure_events()
    ]
    reason = "; ".join(failures) or context.failure_event.message
    context.log.error(f"run {run.run_id} of {run.job_name} failed: {reason}")


def _innermost(error: object) -> str:
    """Return the message of the first cause, which is the one a person can act on."""
    message = "no message"
    while error is not None:
        message = str(getattr(error, "message", error)).strip()
        error = getattr(error, "cause", None)
    return message
