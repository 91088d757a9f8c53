//go:build !unix

package command

import (
	"errors"
	"os"
	"time"
)

// readerGone cannot be known here.
func readerGone(*os.File, time.Duration) (bool, error) { return false, errors.ErrUnsupported }
