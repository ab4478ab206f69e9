"""How good the deployed model is: a score corrected for having been chosen, figures by class, what columns bring."""
