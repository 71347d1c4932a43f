"""Which objects of the sources are new to the ledger."""

from __future__ import annotations

from ...steps import ledger
from ...steps.books import SourceBook
from ...steps.executor import Executor
from ...storage.objects import new_objects
from .. import compacted_ledger
from .state import Batch, LoadState


def discover(ex: Executor, state: LoadState) -> bool:
    """Finds what is new in each source that has a place; whether there is anything to load."""
    for source in state.declarations.sources:
        listing = state.listings.get(source.name)
        if listing is None:
            continue
        known = ledger.loaded_objects(ex, source)
        objects = new_objects(listing.objects, known, state.reload, state.waiting)
        book = SourceBook(
            source.name,
            objects=len(objects),
            skipped=listing.skipped,
            known=len(listing.objects) - len(objects),
            changed=sum(1 for o in objects if o.key in known and not state.reload),
        )
        raw = state.engine.raw_table(source)
        pending = bool(objects) or ex.assumes_new
        # A plan opens none of them.
        batch = Batch(source, listing, [] if ex.planning else objects, book, raw, pending)
        with ex.when("objects are new", objects) as should_run:
            if should_run:
                recorded = compacted_ledger.recorded_files(ex, source)
                compacted = compacted_ledger.choose_files(recorded, objects)
                batch.compacted = state.engine.readable(compacted) if compacted else []
        state.batches.append(batch)
    for batch in state.batches:
        size = sum(each.size for each in batch.objects)
        ex.observer.begin("read", batch.source.name, size, "bytes")
    ex.observer.begin("merge", None, len(state.declarations.targets), "tables")
    return any(batch.pending for batch in state.batches)
