"""The outlines of a mask as polygons that give the very same mask when they are filled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

Ring = NDArray[np.float64]
"""Corners (n, 2) as (x, y), the first one not repeated; pixel (row, col) covers col <= x < col + 1.
"""

LOSSLESS = 0.35
"""Within this tolerance no outline passes over the centre of a pixel; see `outlines`."""


@dataclass(frozen=True)
class Polygon:
    """A region in one piece.

    Parameters
    ----------
    shell : (n, 2) float
        x, y; clockwise on the screen.
    holes : tuple of (n, 2) float
        The other way round.
    """

    shell: Ring
    holes: tuple[Ring, ...] = ()

    @property
    def rings(self) -> tuple[Ring, ...]:
        """The shell and the holes."""
        return (self.shell, *self.holes)


def outlines(
    mask: NDArray[np.bool_], corner: tuple[int, int] = (0, 0), *, simplify: float = LOSSLESS
) -> list[Polygon]:
    """Draw the outlines of a mask, a polygon a piece; pixels joined by a corner alone are two.

    With ``simplify=0`` they follow the edges of the pixels: stairs, of whole coordinates. Otherwise
    they pass through the middles of those edges, as marching squares do, and corners are left out
    as long as the line stays within `simplify` of where it was. The middles are sqrt(2) / 4 = 0.354
    away from the centre of any pixel. So up to `LOSSLESS` whoever fills the polygons by the centres
    of pixels has the same mask again; the area within is half a square pixel smaller a ring.

    Parameters
    ----------
    mask : (h, w) bool
    corner : tuple of int
        Row and column of its top left pixel in the picture.
    simplify : float
        In pixels, 0 or more.

    Returns
    -------
    list of Polygon
        In the picture's coordinates; none overlaps another or itself.
    """
    polygons = _stairs(mask)
    if simplify > 0:
        polygons = _simplified([_cut_corners(polygon) for polygon in polygons], simplify)
    shift = np.array(corner[::-1], float)
    return [
        Polygon(polygon.shell + shift, tuple(hole + shift for hole in polygon.holes))
        for polygon in polygons
    ]


def _stairs(mask: NDArray[np.bool_]) -> list[Polygon]:
    """Follow the edges of pixels; a hole belongs to the piece whose pixels it is in."""
    pieces, n_pieces = ndimage.label(mask)
    shells: dict[int, Ring] = {}
    holes: dict[int, list[Ring]] = {}
    for ring in _rings(np.pad(mask, 1)):
        piece = int(pieces[_pixel_inside(ring)])
        if _signed_area(ring) > 0:
            shells[piece] = ring
        else:
            holes.setdefault(piece, []).append(ring)
    return [Polygon(shells[piece], tuple(holes.get(piece, ()))) for piece in range(1, n_pieces + 1)]


def _rings(room: NDArray[np.bool_]) -> Iterator[Ring]:
    """Walk along all edges, the mask to the right, in rings that pass through no corner twice.

    Along a row of corners, edges lead from every first to every second one, and likewise along a
    column. Where two pixels touch by a corner, each has a corner of its own there.

    Parameters
    ----------
    room : (h + 2, w + 2) bool
        The mask with a margin.
    """
    places, rightward, downward = _corners(room)
    across = np.lexsort((rightward, places[:, 0], places[:, 1])).reshape(-1, 2)
    along = np.lexsort((downward, places[:, 1], places[:, 0])).reshape(-1, 2)
    partner = np.empty(len(places), np.intp)
    partner[along] = along[:, ::-1]
    # The mask lies to the right of who walks rightwards along its upper edges.
    x, y = places[across[:, 0]].T
    onward = room[y + 1, x + 1]
    tail, head = np.where(onward[:, None], across, across[:, ::-1]).T
    edge_at = np.empty(len(places), np.intp)
    edge_at[tail] = np.arange(len(tail))
    following = edge_at[partner[head]].tolist()
    unseen = np.ones(len(tail), bool)
    for first in range(len(tail)):
        if not unseen[first]:
            continue
        edges = [first]
        while (edge := following[edges[-1]]) != first:
            edges.append(edge)
        unseen[edges] = False
        corners = np.stack([tail[edges], head[edges]], axis=1).ravel()
        yield from _simple_rings(places[corners])


def _corners(
    room: NDArray[np.bool_],
) -> tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.bool_]]:
    """Find where edges turn: places (x, y), and whether the edges there lead right and down."""
    above_left, above_right = room[:-1, :-1], room[:-1, 1:]
    below_left, below_right = room[1:, :-1], room[1:, 1:]
    right, down = above_right != below_right, below_left != below_right
    left, up = above_left != below_left, above_left != above_right
    turning = (right != left) & (down != up)
    touching = right & left & down & up
    rows, columns = np.nonzero(turning)
    twice_rows, twice_columns = np.nonzero(touching)
    falling = below_right[touching]  # The pixel below right has the edges right and down.
    yes = np.ones(len(falling), bool)
    places = np.stack(
        [
            np.concatenate([columns, twice_columns, twice_columns]),
            np.concatenate([rows, twice_rows, twice_rows]),
        ],
        axis=1,
    )
    rightward = np.concatenate([right[turning], yes, ~yes])
    downward = np.concatenate([down[turning], falling, ~falling])
    return places, rightward, downward


def _simple_rings(places: NDArray[np.intp]) -> Iterator[Ring]:
    """Take the loops out of a ring that comes back to one of its corners."""
    walked: list[tuple[int, int]] = []
    position: dict[tuple[int, int], int] = {}
    for place in map(tuple, places.tolist()):
        if place in position:
            start = position[place]
            yield np.array(walked[start:], float)
            for left in walked[start:]:
                del position[left]
            del walked[start:]
        position[place] = len(walked)
        walked.append(place)
    yield np.array(walked, float)


def _pixel_inside(ring: Ring) -> tuple[int, int]:
    """Give row and column of a pixel of the mask at the ring's first edge, on its right."""
    (x0, y0), (x1, y1) = ring[:2]
    step_x, step_y = np.sign([x1 - x0, y1 - y0])
    # Half a pixel along the edge, half a pixel to its right.
    x, y = x0 + (step_x - step_y) / 2, y0 + (step_y + step_x) / 2
    return int(np.floor(y)), int(np.floor(x))


def _signed_area(ring: Ring) -> float:
    x, y = ring.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _cut_corners(polygon: Polygon) -> Polygon:
    return Polygon(_cut_ring(polygon.shell), tuple(map(_cut_ring, polygon.holes)))


def _cut_ring(ring: Ring) -> Ring:
    """Cut off every corner from the middle of a pixel's edge to that of the next."""
    onward = np.roll(ring, -1, axis=0) - ring
    step = np.sign(onward) / 2
    edges = np.stack([ring + step, ring + onward - step], axis=1)
    # On an edge of one pixel both points are its middle.
    both = np.stack([np.ones(len(ring), bool), np.abs(onward).sum(1) > 1], axis=1)
    cut: Ring = edges[both]
    return cut


def _simplified(polygons: list[Polygon], tolerance: float) -> list[Polygon]:
    """Leave corners out, by Douglas and Peucker."""
    if tolerance <= LOSSLESS:
        return [
            Polygon(
                _simplified_ring(one.shell, tolerance),
                tuple(_simplified_ring(hole, tolerance) for hole in one.holes),
            )
            for one in polygons
        ]
    # From here on lines may meet; this variant keeps them apart.
    whole = shapely.MultiPolygon([(one.shell, one.holes) for one in polygons])
    return [
        Polygon(
            shapely.get_coordinates(one.exterior)[:-1],
            tuple(shapely.get_coordinates(hole)[:-1] for hole in one.interiors),
        )
        for one in shapely.get_parts(shapely.simplify(whole, tolerance))
    ]


def _simplified_ring(ring: Ring, tolerance: float) -> Ring:
    # As a line, whose ends stay: where GEOS takes the end of a ring away, it moves further.
    line = shapely.LineString(np.concatenate([ring, ring[:1]]))
    simple: Ring = shapely.get_coordinates(
        shapely.simplify(line, tolerance, preserve_topology=False)
    )
    return simple[:-1]


def keyhole(polygon: Polygon) -> Ring:
    """Join the holes of a polygon to its shell, each by the shortest line there and back.

    Filled by the even-odd rule it is the same; for formats whose polygons have no holes.
    """
    ring = polygon.shell
    for hole in polygon.holes:
        distances = np.abs(ring[:, None] - hole).sum(2)
        at, to = np.unravel_index(distances.argmin(), distances.shape)
        around = np.roll(hole, -to, axis=0)
        ring = np.concatenate([ring[: at + 1], around, around[:1], ring[at:]])
    return ring


def numbers(ring: Ring) -> list[list[float]]:
    """Give corners ready for JSON, whole numbers without a point."""
    return [[int(n) if n.is_integer() else n for n in corner] for corner in ring.tolist()]
