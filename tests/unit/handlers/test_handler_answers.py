"""The handlers of campaigns and users, from an event's data to the answer."""

from __future__ import annotations

import json
import random
from datetime import date, timedelta

import httpx
import msgspec
import pytest
import sqlalchemy as sql

from handlers import Action, Reject, Retry
from handlers.campaign_analytics import campaign_analytics
from handlers.config import HandlerConfig
from handlers.ctr_prediction import ctr_prediction
from handlers.dashboard_data import dashboard_data
from handlers.roas_prediction import roas_prediction
from handlers.sources import HttpSource, SqlSource, open_source
from handlers.testing import HandlerTest
from streams.contracts.errors import ConfigurationError


def rows(count: int = 30) -> list[dict]:
    chance = random.Random(2)
    return [
        {
            "date": str(date(2026, 9, 1) + timedelta(i)),
            "impressions": 3000,
            "clicks": 50 + chance.randint(0, 20),
            "spend": 20.0 + i % 3,
            "conversions": chance.randint(1, 5),
            "campaign_id": f"c{i % 2}",
        }
        for i in range(count)
    ]


@pytest.mark.parametrize("tested", [ctr_prediction, roas_prediction, dashboard_data, campaign_analytics])
def test_they_keep_what_every_handler_promises(tested) -> None:
    HandlerTest(tested).check()


def test_roas_is_conversions_times_value() -> None:
    answer = HandlerTest(roas_prediction).run(
        {
            "campaign_id": "c1",
            "order_value": {"amount": 30, "currency": "EUR"},
            "budget": 60,
            "history": rows(),
        }
    )
    given = rows()
    expected = 30 * sum(r["conversions"] for r in given) / sum(r["spend"] for r in given)
    assert answer["estimate"] == pytest.approx(expected, rel=1e-3)
    assert answer["interval"]["lo"] < expected < answer["interval"]["hi"]
    assert (answer["currency"], answer["assumed_spend"], answer["basis"]) == ("EUR", 60, "account_history")


def test_roas_without_enough_says_what_is_missing() -> None:
    kit = HandlerTest(roas_prediction)
    short = kit.run({"campaign_id": "c1", "order_value": 30, "history": rows(4)})
    assert (short["estimate"], short["basis"]) == (None, "insufficient_data")
    assert "7 days with spend" in short["warnings"][0]
    assert "order_value" in kit.run({"history": {"rows": rows(), "currency": "EUR"}})["warnings"][0]
    assert kit.run({})["basis"] == "insufficient_data"


@pytest.mark.parametrize(
    ("history", "field"),
    [
        ([{"date": "2026-09-01", "impressions": -1, "clicks": 0}], "history"),
        ([{"date": "2026-09-01", "impressions": 1, "clicks": 5}], "history"),
        ([{"date": "yesterday", "impressions": 1, "clicks": 0}], "history"),
        ([{"impressions": 1, "clicks": 0}], "history"),
        (rows() * 200, "history"),
        ("all of it", "history"),
    ],
)
@pytest.mark.parametrize("tested", [roas_prediction, campaign_analytics])
def test_wrong_history_is_named(tested, history, field) -> None:
    outcome = HandlerTest(tested).outcome({"campaign_id": "c1", "history": history})
    assert isinstance(outcome, Reject)
    assert outcome.reason == "bad_input"
    assert str(outcome).startswith(field)


def test_nan_and_infinity_are_not_json() -> None:
    for number in ("NaN", "Infinity", "1e999"):
        payload = b'{"budget": %s}' % number.encode()
        assert isinstance(HandlerTest(campaign_analytics).outcome(payload), Reject)


def test_a_campaign_of_zeros_has_no_ratios() -> None:
    zeros = [{"date": f"2026-09-{d:02}", "impressions": 0, "clicks": 0} for d in range(1, 15)]
    answer = HandlerTest(campaign_analytics).run({"campaign_id": "c1", "budget": 0, "history": zeros})
    assert answer["totals"]["ctr"] is None
    assert answer["ctr_wilson_ci"] is None
    assert answer["pacing"]["share"] is None


def test_a_campaign_without_history_says_nothing_instead_of_zero() -> None:
    answer = HandlerTest(campaign_analytics).run({"campaign_id": "c1"})
    assert (answer["totals"], answer["series"], answer["window"]) == (None, [], None)


def test_ctr_leans_on_the_account_and_says_so() -> None:
    past = [{"impressions": 5000, "clicks": 80 + i} for i in range(12)]
    answer = HandlerTest(ctr_prediction).run({"uri": "x", "stats": {"account": past}})
    assert answer["interval"]["lo"] < answer["estimate"] < answer["interval"]["hi"]
    assert answer["estimate"] == pytest.approx(0.0171, abs=0.001)
    assert answer["interval"]["measured_coverage"] is not None
    assert answer["creative"]["factor"] == 1.0


def test_ctr_without_history_is_a_rank_alone() -> None:
    results = {
        "hook_analysis": {"hook_score": 0.5},
        "face_detection": {"face_time_ratio": 0.2},
        "scene_detection": {"scene_count": 3, "duration_s": 10.0},
    }
    answer = HandlerTest(ctr_prediction).run({"uri": "x"}, results=results)
    assert (answer["estimate"], answer["interval"], answer["basis"]) == (None, None, "insufficient_data")
    assert answer["relative_rank"] == pytest.approx(0.6 * 0.5 + 0.25 * 0.2 + 0.15 * 0.2)
    assert answer["relative_rank_calibration"] == "none"


def test_a_dashboard_sums_campaigns_and_actions() -> None:
    history = (Action("open", 1_000_000), Action("open", 2_000_000), Action("edit", 90_000_000))
    answer = HandlerTest(dashboard_data).run(
        {"user_id": "u1", "account": {"currency": "EUR", "rows": rows()}}, history=history
    )
    assert answer["totals"]["impressions"] == 30 * 3000
    assert {one["campaign_id"] for one in answer["campaigns"]} == {"c0", "c1"}
    activity = answer["activity"]
    assert (activity["actions"], activity["sessions"]) == (3, 2)
    assert activity["top_actions"][0] == {"action": "open", "count": 2}
    assert HandlerTest(dashboard_data).run({})["totals"] is None


async def test_rows_come_from_a_database(tmp_path) -> None:
    url = f"sqlite:///{tmp_path}/warehouse.db"
    engine = sql.create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            sql.text(
                "CREATE TABLE precompute_daily (user_id TEXT, campaign_id TEXT, date TEXT, impressions INT, "
                "clicks INT, spend REAL, conversions INT, revenue REAL)"
            )
        )
        for user, clicks in (("u1", 3), ("u2", 5)):
            connection.execute(
                sql.text(
                    "INSERT INTO precompute_daily VALUES (:u, 'c1', '2026-09-01', 100, :c, 1.5, NULL, NULL)"
                ),
                {"u": user, "c": clicks},
            )
    engine.dispose()
    found = await SqlSource(url).rows("user", "u1' OR 1=1 --", [])
    assert found == []
    found = await SqlSource(url).rows("user", "u2", [])
    assert [(one.clicks, one.conversions, one.revenue) for one in found] == [(5, 0, None)]
    assert len(await SqlSource(url).rows("campaign", "c1", [])) == 2


async def test_a_database_that_is_away_is_tried_again(tmp_path) -> None:
    with pytest.raises(Retry):
        await SqlSource(f"sqlite:///{tmp_path}/no/such/folder.db").rows("user", "u1", [])


def service(status: int, body: bytes) -> HttpSource:
    return HttpSource(
        "https://rows.example/", httpx.MockTransport(lambda _: httpx.Response(status, content=body))
    )


async def test_rows_come_from_a_service() -> None:
    found = await service(200, json.dumps({"rows": rows(2)}).encode()).rows("user", "u1", [])
    assert len(found) == 2
    with pytest.raises(Retry):
        await service(503, b"").rows("user", "u1", [])
    for wrong in (b"[]", b"{}", b"<html>", b'{"rows": [{"clicks": 5}]}'):
        with pytest.raises(Reject):
            await service(200, wrong).rows("user", "u1", [])


def test_an_unknown_source_stops_with_the_setting() -> None:
    with pytest.raises(ConfigurationError, match="PRECOMPUTE_DASHBOARD_SOURCE"):
        open_source(HandlerConfig(dashboard_source="warehouse"))


def test_results_keep_to_their_published_schema() -> None:
    answer = HandlerTest(campaign_analytics).run_bytes(msgspec.json.encode({"history": rows()}))
    msgspec.json.decode(answer, type=campaign_analytics.result_type)
