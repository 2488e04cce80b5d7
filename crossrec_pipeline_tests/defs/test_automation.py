"""When an asset is asked for, on a few made-up assets: conditions evaluated, no daemon."""

import dagster as dg

from crossrec_pipeline.defs.automation import after_upstream, with_upstream


class Street:
    """``items`` leads to ``text`` and ``sessions``, and all of them to ``model`` and ``rival``."""

    def __init__(self) -> None:
        self.instance = dg.DagsterInstance.ephemeral()
        self.content = {"items": "1", "text": "1", "sessions": "1"}
        self._cursor: dg.AssetDaemonCursor | None = None
        conditions = {
            "items": ([], None),
            "text": (["items"], with_upstream()),
            "sessions": (["items"], after_upstream()),
            "model": (["items", "text", "sessions"], after_upstream()),
            "rival": (["sessions"], after_upstream()),
        }
        self.defs = dg.Definitions(
            assets=[self._asset(name, *how) for name, how in conditions.items()]
        )
        self.build(list(conditions))
        self.tick()

    def _asset(
        self, name: str, deps: list[str], condition: dg.AutomationCondition | None
    ) -> dg.AssetsDefinition:
        @dg.asset(name=name, deps=deps, automation_condition=condition)
        def asset() -> dg.MaterializeResult:
            return dg.MaterializeResult(data_version=dg.DataVersion(self.content.get(name, "1")))

        return asset

    def build(self, names: list[str]) -> None:
        self.defs.resolve_implicit_global_asset_job_def().execute_in_process(
            asset_selection=[dg.AssetKey(name) for name in names], instance=self.instance
        )

    def tick(self) -> list[str]:
        """Say what is asked for now."""
        tick = dg.evaluate_automation_conditions(self.defs, self.instance, cursor=self._cursor)
        self._cursor = tick.cursor
        return sorted(
            result.key.to_user_string()
            for result in tick.results
            if isinstance(result.key, dg.AssetKey) and tick.get_num_requested(result.key)
        )

    def asked(self) -> list[list[str]]:
        """Build what is asked for until nothing more is; say what each tick asked for."""
        ticks = []
        while names := self.tick():
            ticks.append(names)
            self.build(names)
        return ticks


def test_a_model_waits_for_sessions_that_are_on_their_way():
    street = Street()
    street.content |= {"items": "2", "text": "2", "sessions": "2"}
    street.build(["items"])

    assert street.asked() == [["sessions", "text"], ["model", "rival"]]


def test_a_model_does_not_wait_in_vain_for_sessions_that_come_out_equal():
    street = Street()
    street.content |= {"items": "2", "text": "2"}
    street.build(["items"])

    assert street.asked() == [["sessions", "text"], ["model"]]


def test_what_comes_out_equal_asks_for_nothing_more():
    street = Street()
    street.build(["items"])

    assert street.asked() == []
