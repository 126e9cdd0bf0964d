//go:build unix

package pagetest

import (
	"bytes"
	"image"
	"image/color"
	"image/png"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Capture returns a picture of the page down to the end of its content.
func (p *Page) Capture() []byte {
	p.t.Helper()
	size := Evaluate[struct{ Width, Height float64 }](p, `({Width: innerWidth, Height: Math.ceil(document.querySelector("main").getBoundingClientRect().bottom)})`)
	shot, err := chromedp.Call(p.Context, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: new(true), Clip: &page.Viewport{Width: size.Width, Height: size.Height, Scale: 1}})
	if err != nil {
		p.t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(shot.Data))
	if err != nil {
		p.t.Fatal(err)
	}
	var text bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&text, withPalette(picture)); err != nil {
		p.t.Fatal(err)
	}
	return text.Bytes()
}

// withPalette is a picture with a palette, which takes less room, if it has few enough colours.
func withPalette(picture image.Image) image.Image {
	bounds, colours, palette := picture.Bounds(), map[color.RGBA]uint8{}, color.Palette{}
	small := image.NewPaletted(bounds, nil)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			r, g, b, a := picture.At(x, y).RGBA()
			c := color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), uint8(a >> 8)}
			index, known := colours[c]
			if !known {
				if len(palette) == 256 {
					return picture
				}
				index = uint8(len(palette))
				colours[c], palette = index, append(palette, c)
			}
			small.SetColorIndex(x, y, index)
		}
	}
	small.Palette = palette
	return small
}
