from tests.smtp.conftest import ca, ca_file, pytest_asyncio_loop_factories

__all__ = ["ca", "ca_file", "pytest_asyncio_loop_factories"]
