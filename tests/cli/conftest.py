import pytest

from jina_components.cli import main


@pytest.fixture
def run(capsys):
    """Runs the command in this process: its exit code, standard output and standard error."""

    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return call
