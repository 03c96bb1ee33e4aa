"""The widget: find the sperm of a picture that is open."""

from typing import TYPE_CHECKING, Annotated, Any

from spermseg.inference.catalog import DEFAULT_MODEL, list_models
from spermseg.napari_plugin.layers import parts_layer, sperm_layers
from spermseg.napari_plugin.writing import rgb

if TYPE_CHECKING:
    import napari.layers
    import napari.types

# Annotations of this module are not strings but for napari's: magicgui looks names of strings up
# as modules.
MODELS = [folder.name for folder in list_models()]


def find_sperm(
    image: "napari.layers.Image",
    model: Annotated[str, {"choices": MODELS}] = DEFAULT_MODEL,
    um_per_px: Annotated[
        float, {"min": 0.0, "max": 10.0, "step": 0.001, "label": "um per pixel (0: not known)"}
    ] = 0.0,
    threads: Annotated[int, {"min": 0, "max": 64, "label": "threads (0: all)"}] = 0,
) -> "list[napari.types.LayerDataTuple]":
    """Find, measure and judge all sperm of a picture. For research use, not for clinical diagnosis.

    Parameters
    ----------
    image : napari.layers.Image
        RGB or grey, 8 or 16 bits.
    model : str
        A bundled one.
    um_per_px : float
        Pixel size; 0 takes that of the layer, where it is shown in micrometres, or else finds the
        scale by the look of the picture.
    threads : int
        Of the network; 0 takes all cores.

    Returns
    -------
    list of LayerData
        Labels of parts, labels of sperm with the table of measurements, tails as paths.

    Raises
    ------
    DataError
        When the layer is no such picture.
    """
    from spermseg.pipeline import analyze

    pixel_size = um_per_px or layer_pixel_size(image)
    result = analyze(rgb(image.data), model=model, um_per_px=pixel_size, threads=threads or None)
    name = str(image.name)
    return [
        parts_layer(name, result.part_map, pixel_size),
        *sperm_layers(name, result.sperm, result.sample.size, pixel_size),
    ]


def layer_pixel_size(image: Any) -> float | None:
    """Give the micrometres a pixel of a layer, None where its units are not lengths."""
    unit, scale = image.units[-1], image.scale[-1]
    if not unit.is_compatible_with("um"):
        return None
    return float((scale * unit).to("um").magnitude)
