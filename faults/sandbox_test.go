// Package faults tests the real binary, as separate processes, under real
// faults: cut and lossy networks, killed and stopped processes, full, failing and
// hanging disks, damaged and outdated data directories.
//
// The tests run themselves again in namespaces of their own (network, mounts,
// processes). What they mount, cut or start is seen by nobody else, and goes away
// with them, also when they are killed. What this machine lacks makes a test
// skip and say so.
package faults

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paxlog/paxlog/internal/cluster"
)

// insideEnv tells the tests that they run in namespaces of their own. Its value
// says what they could not get.
const insideEnv = "PAXLOG_FAULTS_INSIDE"

// lacking says why there are no namespaces, "" if there are.
var lacking string

func TestMain(m *testing.M) {
	var code int
	if state, inside := os.LookupEnv(insideEnv); inside {
		lacking = state
		code = runInside(m)
	} else {
		code = runOutside()
	}
	os.Exit(code)
}

// runInside runs the tests.
func runInside(m *testing.M) int {
	if lacking == "" {
		if err := furnish(); err != nil {
			fmt.Fprintf(os.Stderr, "in namespaces of its own: %v\n", err)
			return cannotFurnish
		}
	}
	defer cluster.RemoveBinary()
	return m.Run()
}

// cannotFurnish is the exit code that asks for a run without namespaces.
const cannotFurnish = 97

// furnish makes the new namespaces usable: mounts are private, /proc and /run
// are of their own, loopback is up.
func furnish() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	for path, fs := range map[string]string{"/proc": "proc", "/run": "tmpfs"} {
		if err := syscall.Mount("paxlog-faults", path, fs, 0, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", path, err)
		}
	}
	return command("ip", "link", "set", "lo", "up")
}

// runOutside runs this program again in new namespaces, with a directory for
// temporary files that is removed whatever becomes of the tests.
func runOutside() int {
	// The new process dies with the thread that started it.
	runtime.LockOSThread()
	dir, err := workDirectory()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	again := func(state string, attr syscall.SysProcAttr) (code int, err error) {
		cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.Env = append(os.Environ(), insideEnv+"="+state, "TMPDIR="+dir)
		attr.Pdeathsig = syscall.SIGKILL
		cmd.SysProcAttr = &attr
		err = cmd.Run()
		var exit *exec.ExitError
		switch {
		case err == nil:
			return 0, nil
		case errors.As(err, &exit):
			return max(1, exit.ExitCode()), nil // -1 if it was killed
		}
		return 0, err
	}
	missing := "the program ip (apt-get install iproute2)"
	if _, err = exec.LookPath("ip"); err == nil {
		attr := syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
		if os.Geteuid() != 0 { // a namespace in which this user is root
			attr.Cloneflags |= syscall.CLONE_NEWUSER
			attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
			attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
		}
		var code int
		if code, err = again("", attr); err == nil && code != cannotFurnish {
			return code
		}
		missing = "namespaces of its own: run it as root, in a container with --privileged"
		if err != nil {
			missing = fmt.Sprintf("namespaces of its own (%v): run it as root, in a container with --privileged", err)
		}
	}
	code, err := again(missing, syscall.SysProcAttr{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// workDirectory makes a directory for temporary files, and removes those that
// killed runs left behind. A lock tells which are in use.
func workDirectory() (string, error) {
	old, err := filepath.Glob(filepath.Join(os.TempDir(), "paxlog-faults-*"))
	if err != nil {
		return "", err
	}
	for _, dir := range old {
		if info, err := os.Stat(dir); err != nil || time.Since(info.ModTime()) < time.Minute {
			continue // its run may be about to lock it
		}
		if f, err := lockDirectory(dir); err == nil {
			_ = os.RemoveAll(dir)
			_ = f.Close()
		}
	}
	dir, err := os.MkdirTemp("", "paxlog-faults-")
	if err != nil {
		return "", err
	}
	held, err = lockDirectory(dir)
	return dir, err
}

// held keeps the lock of this run.
var held *os.File

func lockDirectory(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// TestWhatIsMissing says which tests skip on this machine, and why. It never fails.
func TestWhatIsMissing(t *testing.T) {
	if lacking != "" {
		t.Logf("all tests but TestFlips skip: they need %s", lacking)
		return
	}
	for program, tests := range map[string]string{
		"nsenter": "cut networks (apt-get install util-linux)",
		"nft":     "lossy networks (apt-get install nftables)",
		"tc":      "lossy networks (apt-get install iproute2)",
		"strace":  "failing and hanging disks (apt-get install strace)",

		"mkfs.btrfs": "quotas (apt-get install btrfs-progs)",
	} {
		if _, err := exec.LookPath(program); err != nil {
			t.Logf("without the program %s, tests of %s skip", program, tests)
		}
	}
	if _, err := exec.LookPath("tc"); err == nil {
		if err := command("tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "0ms"); err != nil {
			t.Logf("this kernel has no netem: a slow line takes the place of a long one")
		} else if err := command("tc", "qdisc", "del", "dev", "lo", "root"); err != nil {
			t.Error(err)
		}
	}
}

// needs skips a test where namespaces or a program are missing. A tool is
// PROGRAM, or PROGRAM=PACKAGE where they are named differently.
func needs(t *testing.T, tools ...string) {
	t.Helper()
	if lacking != "" {
		t.Skipf("this needs %s", lacking)
	}
	for _, tool := range tools {
		program, pkg, ok := strings.Cut(tool, "=")
		if !ok {
			pkg = program
		}
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("this needs the program %s (apt-get install %s)", program, pkg)
		}
	}
}

// command runs a program that shall succeed.
func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
