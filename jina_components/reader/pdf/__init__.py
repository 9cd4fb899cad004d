"""PDF to `Page`, in processes of its own."""

from jina_components.reader.pdf.reading import close_pdf_workers, read_pdf
from jina_components.reader.pdf.worker import PdfWorkers

__all__ = ["PdfWorkers", "close_pdf_workers", "read_pdf"]
