import errno
from pathlib import Path

import pytest

from crossrec_pipeline.errors import SettingsError, StorageError, StorageUnavailableError
from crossrec_pipeline.settings import load_settings
from crossrec_pipeline.storage.location import explained, is_url, open_location


class NoCredentialsError(Exception):
    """As the client for S3 calls it."""


def explain(url: str, error: Exception) -> StorageError:
    with pytest.raises(StorageError) as caught, explained(url):
        raise error
    return caught.value


@pytest.mark.parametrize("location", ["s3://shop/a.csv", "file:///tmp/a.csv", "memory://a"])
def test_what_has_a_protocol_is_a_url(location: str):
    assert is_url(location)


@pytest.mark.parametrize("location", ["/tmp/a.csv", "~/a*.csv", "sample", "hub@main", "C:/a.csv"])
def test_paths_and_names_are_no_urls(location: str):
    assert not is_url(location)


@pytest.mark.parametrize(
    ("url", "extra"), [("s3://b/k", "s3"), ("gs://b/k", "gs"), ("az://b/k", "abfs")]
)
def test_a_missing_package_is_named_with_its_extra(url: str, extra: str):
    found = explain(url, ImportError("Install it to use this"))
    assert str(found).endswith(rf"pip install 'crossrec-pipeline[{extra}]'")


def test_a_protocol_whose_package_is_not_installed_says_how(monkeypatch: pytest.MonkeyPatch):
    import fsspec

    def missing(_: str) -> None:
        raise ImportError("Please install gcsfs to access Google Storage")

    monkeypatch.setattr(fsspec.core, "get_filesystem_class", missing)
    with pytest.raises(StorageError, match=r"pip install 'crossrec-pipeline\[gs\]'"):
        open_location("gs://bucket/prefix")


def test_what_is_missing_names_the_bucket():
    found = explain("s3://shop/a", FileNotFoundError("The specified bucket does not exist"))
    assert "s3://shop/a does not exist" in str(found)
    assert "name of the bucket" in str(found)


@pytest.mark.parametrize("error", [PermissionError("Access Denied"), NoCredentialsError()])
def test_what_is_refused_names_where_credentials_come_from(error: Exception):
    found = explain("s3://shop/a", error)
    assert "AWS_ACCESS_KEY_ID" in str(found)
    assert not isinstance(found, StorageUnavailableError)


def test_all_other_trouble_may_pass():
    found = explain("s3://shop/a", ConnectionError("Could not connect to the endpoint URL"))
    assert isinstance(found, StorageUnavailableError)
    assert "Check the network" in str(found)


def test_a_full_disk_here_is_no_trouble_of_the_store():
    with pytest.raises(OSError, match="No space left"), explained("s3://shop/a"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_an_explained_error_is_not_explained_again():
    with pytest.raises(StorageError, match=r"^as it is$"), explained("s3://shop/a"):
        raise StorageError("as it is")


def test_a_store_that_is_a_path_is_refused(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"CROSSREC_STORE=.*a store is a URL"):
        load_settings(store=str(tmp_path))
