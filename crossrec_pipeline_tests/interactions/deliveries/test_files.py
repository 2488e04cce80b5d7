from crossrec_pipeline.interactions.deliveries.files import read_files
from crossrec_pipeline.interactions.deliveries.ledger import Delivery, Ledger
from crossrec_pipeline.interactions.deliveries.location import FilesFound, find_files
from crossrec_pipeline.interactions.deliveries.outcome import Left, Outcome, Place, Refused
from crossrec_pipeline.interactions.log_rows import add_prefixes, log_database
from crossrec_pipeline_tests.interactions.deliveries.growing_log import NOW, GrowingLog


def look(log: GrowingLog) -> FilesFound:
    return find_files(str(log.log), NOW)


def read(log: GrowingLog, found: FilesFound, ledger: Ledger | None = None) -> list[Outcome]:
    with log_database(log.deliveries) as connection:
        add_prefixes(connection, {})
        place = Place(connection, log.deliveries, "as ever", NOW)
        return list(read_files(found.files, {}, ledger or Ledger(""), place))


def test_file_that_grew_since_the_look_is_left_for_later(log: GrowingLog):
    path = log.deliver("a.csv", "u1,A,2024-03-01")
    found = look(log)
    with path.open("a") as file:
        file.write("u2,A,2024-03-01\n")
    assert read(log, found) == [("a.csv", Left("it changed while it was read"))]


def test_file_that_went_away_since_the_look_is_left(log: GrowingLog):
    path = log.deliver("a.csv", "u1,A,2024-03-01")
    found = look(log)
    path.unlink()
    assert read(log, found) == [("a.csv", Left("it went away while it was read"))]


def test_file_that_cannot_be_read_does_not_keep_the_next_from_it(log: GrowingLog):
    log.deliver("a.csv", "u1,A")
    log.deliver("b.csv", "u1,A,2024-03-01", "u1,A,soon")
    (_, refused), (name, delivery) = read(log, look(log))
    assert isinstance(refused, Refused)
    assert isinstance(delivery, Delivery)
    assert (name, list(delivery.pieces)) == ("b.csv", ["2024-03-01", "undated"])
    assert (delivery.n_rows, delivery.undated) == (2, {"unparseable_timestamp": 1})


def test_file_that_the_ledger_has_yields_nothing(log: GrowingLog):
    log.deliver("a.csv", "u1,A,2024-03-01")
    [(name, delivery)] = read(log, look(log))
    assert isinstance(delivery, Delivery)
    assert read(log, look(log), Ledger("", {name: delivery})) == []


def test_file_with_another_time_and_the_same_bytes_is_noted_and_not_staged(log: GrowingLog):
    path = log.deliver("a.csv", "u1,A,2024-03-01")
    [(name, delivery)] = read(log, look(log))
    assert isinstance(delivery, Delivery)
    log.age(path, 60)
    [(_, noted)] = read(log, look(log), Ledger("", {name: delivery}))
    assert isinstance(noted, Delivery)
    assert noted.fingerprint != delivery.fingerprint
    assert (noted.version, noted.pieces) == (delivery.version, delivery.pieces)
