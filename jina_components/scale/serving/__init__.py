"""The service on Ray Serve: replicas of it, in groups that grow and shrink by themselves, behind one front.

Each replica is the whole service in a process of its own, with one batcher for each of its models; so answers are those
of the plain service. The front is what listens: it admits requests as the plain service does, and passes each on to the
group of the model that it asks for. Replicas share keys, limits and batches through the database and Redis.

Ray's own HTTP proxies are not used: they would answer errors in other words, hold bodies without a limit, and take
offers to upgrade for bodies.
"""

from jina_components.scale.serving.cluster import Replicas, on_ray

__all__ = ["Replicas", "on_ray"]
