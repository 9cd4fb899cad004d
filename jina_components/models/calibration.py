"""Texts that show an int8 model the ranges of its inputs: many registers and scripts, so that few inputs go beyond."""

TEXTS: tuple[str, ...] = (
    "The quick brown fox jumps over the lazy dog, but nobody at the office noticed until Friday.",
    "What is the capital of Mongolia?",
    "cheap flights",
    "a",
    (
        "Photosynthesis turns light into chemical energy that plants store as glucose; chlorophyll absorbs "
        "mostly blue and red light, and the water that roots take up is split into oxygen, protons and "
        "electrons."
    ),
    ("The defendant shall pay damages in the amount of $12,500 pursuant to Section 4(b) of the agreement."),
    "I loved this phone at first, but the battery died after two weeks :( would not buy again",
    "WARNING: DO NOT OPEN THE COVER WHILE THE MACHINE IS RUNNING!!!",
    "Take 200 mg ibuprofen every 6 to 8 hours with food; do not exceed 1200 mg in a day.",
    "def add(a, b):\n    return a + b  # sums two numbers",
    "SELECT name, COUNT(*) FROM orders WHERE price > 10.5 GROUP BY name;",
    "2024-03-01 ERROR [worker-7] connection refused: 10.0.0.12:5432 after 3 retries",
    "x = 3.14159; y = -2.71828e-10; z = [1, 2, 3]",
    "| city | population |\n|---|---|\n| Oslo | 709,037 |\n| Bergen | 291,940 |",
    "Der Vertrag wird am 1. Januar wirksam und endet nach zwei Jahren, sofern ihn keine Partei kündigt.",
    "Le chat dort sur le canapé pendant que la pluie tombe sur la ville.",
    "El tren de las ocho llegó tarde porque había nieve en las vías.",
    "Сегодня хорошая погода, и мы идём гулять в парк.",
    "مرحبا بالعالم، كيف حالكم اليوم؟",
    "东京是日本的首都，人口约一千四百万。",
    "梅雨は、五月から七月にかけて雨が多く降る時期である。",
    "오늘은 날씨가 좋아서 공원에 산책하러 갔다.",
    "आज मौसम अच्छा है और बच्चे बाहर खेल रहे हैं।",
    (
        "In 1815 the eruption of Mount Tambora threw so much ash into the air that the following year "
        "became known as the year without a summer: harvests failed across Europe and North America, grain "
        "prices doubled, and people who could afford neither bread nor oats left their villages. Painters "
        "of the time recorded unusually red sunsets. Historians still argue about how much of the hunger "
        "was due to the weather and how much to the war that had ended."
    ),
)
"""Each is embedded by itself; a cross-encoder sees the first as a query beside each of the others."""
