from tests.conformance.candidates import CandidateConformance
from tests.docs.huber import plugin as huber


class TestHuber(CandidateConformance):
    candidate, plugin = "huber", huber
