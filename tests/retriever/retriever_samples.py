"""Documents that the tests retrieve."""

from jina_components import Document

DOCUMENTS = [
    Document("Paris is the capital of France.", "paris", {"lang": "en", "page": 1}),
    Document("Berlin ist die Hauptstadt von Deutschland.", "berlin", {"lang": "de", "page": 2}),
    Document("Rain is due in the afternoon.", "rain", {"lang": "en", "page": 3}),
]
