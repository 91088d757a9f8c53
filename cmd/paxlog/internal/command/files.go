package command

import (
	"errors"
	"fmt"
	"io/fs"
)

// NotOpened says why a file that the command line names could not be opened, err, and what to do.
func NotOpened(err error) error {
	var failed *fs.PathError
	switch {
	case !errors.As(err, &failed):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no file %s: check the path", failed.Path)
	}
	return fmt.Errorf("%s cannot be read: %w", failed.Path, failed.Err)
}
