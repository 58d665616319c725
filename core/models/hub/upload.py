"""A trained model onto the Hub, where it loads as `hub/OWNER/NAME`."""

from __future__ import annotations

from pathlib import Path

from core.errors import LabError
from core.models.hub.mistakes import telling
from core.models.hub.settings import access_token, endpoint, is_offline
from core.models.references import check_repository_name
from core.models.storage import CARD, CONFIG, WEIGHTS

FILES = (WEIGHTS, CONFIG, CARD, "README.md")
"""What is uploaded; checkpoints and logs stay here."""


def check_upload(name: str) -> None:
    """See that an upload has a chance: before the training, not after it. The Hub itself is not asked.

    Raises:
        LabError: where the name is none, the network is forbidden, or there is no token.
    """
    check_repository_name(name)
    if is_offline():
        raise LabError("HF_HUB_OFFLINE=1 forbids the network: unset it, or leave out --push-to-hub.")
    if access_token() is None:
        raise LabError(f"To upload to {name!r} the Hub wants a token that may write: set HF_TOKEN, or run 'hf auth login'.")


def upload_model(folder: Path, name: str, *, private: bool = False) -> str:
    """Make the repository where there is none, and commit a model's files to it.

    Args:
        folder: what ``train-classifier`` or ``train-denoiser`` wrote.
        name: ``OWNER/NAME``.
        private: whether a new repository is a private one; an old one stays as it is.

    Returns:
        the commit hash.

    Raises:
        LabError: where the Hub does not answer, or the token may not write there.
    """
    check_upload(name)
    from huggingface_hub import HfApi

    api = HfApi(endpoint=endpoint(), token=access_token(), library_name="denoised-smoothing-lab")
    with telling(name):
        try:
            # None where it may be public: an organisation's own default then holds.
            api.create_repo(name, exist_ok=True, private=private or None)
            commit = api.upload_folder(
                repo_id=name, folder_path=folder, allow_patterns=list(FILES), commit_message="A model of the Lab"
            )
        except Exception as error:
            if getattr(getattr(error, "response", None), "status_code", None) in (401, 403):
                raise LabError(
                    f"The Hub does not let your token write to {name!r}: give HF_TOKEN one with write access to that owner."
                ) from error
            if isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception):
                raise error.__cause__ from error  # how the client wraps what went wrong with a large file
            raise
    return str(commit.oid)
