// sick has one illness of maps at a time, and recovers: what each rule of the daemon speaks about.
// It reads words from standard input, a line each, and answers each with a line of JSON when it has
// done it:
//
//	fall     it falls ill: the map or maps are made, or a goroutine begins to grow them
//	recover  the map is made anew, or dropped, or the goroutine ends; then a collection runs
//	tell     nothing but the answer
//
// The answer has word, illness, len (of the map it is about; 0: none) and site (main.go:LINE, which
// made the map or made it grow; "": not told). -illness NAME chooses it:
//
//	waste      a map lost 99 of 100 entries and kept its memory
//	empty      a map was made for far more than it got
//	large      a map has many entries
//	growing    a map grows all the time; -before entries are there already
//	hoard      maps are made and kept all the time
//	storm      maps are filled without a hint, again and again
//	churn      small maps are made all the time
//	crowd      the heap is little else than maps
//	leak       objects are made all the time and none is dropped; -before of them are there already
//	none       it is well: -maps small maps, one of which is written to ten times a second
//	misuse     two goroutines write to one map: the runtime ends the program
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

type answer struct {
	Word    string `json:"word"`
	Illness string `json:"illness"`
	Len     int    `json:"len"`
	Site    string `json:"site"`
}

var (
	cache  map[int]int
	chain  []*[16]byte
	mu     sync.Mutex
	stop   int32
	done   sync.WaitGroup
	sink   int
	many   []map[int]int
	number = flag.Int("n", 400000, "how many entries a large map has")
	maps   = flag.Int("maps", 1000, "how many maps a program has that is well")
	pace   = flag.Int("pace", 1000, "how many entries a growing map gets at once; ten times as many objects leak in a tenth of a second")
	rest   = flag.Duration("rest", 100*time.Millisecond, "what a growing map rests in between")
	before = flag.Int("before", 0, "how many entries or objects there are already where a map begins to grow, or objects to leak")
)

func nextLine() string {
	_, _, line, _ := runtime.Caller(1)
	return "main.go:" + strconv.Itoa(line+1)
}

//go:noinline
func fill(count int) string {
	cache = make(map[int]int)
	site := ""
	for i := 0; i < count; i++ {
		site = nextLine()
		cache[i] = i
	}
	return site
}

func waste() string {
	site := fill(*number)
	for i := *number / 100; i < *number; i++ {
		delete(cache, i)
	}
	return site
}

func empty() string {
	site := nextLine()
	cache = make(map[int]int, *number)
	for i := 0; i < 100; i++ {
		cache[i] = i
	}
	return site
}

// forever runs a step again and again until the program recovers.
func forever(step func(round int)) {
	atomic.StoreInt32(&stop, 0)
	done.Add(1)
	go func() {
		defer done.Done()
		for round := 0; atomic.LoadInt32(&stop) == 0; round++ {
			step(round)
		}
	}()
}

func growing() string {
	cache = make(map[int]int)
	for i := 1; i <= *before; i++ {
		cache[-i] = i
	}
	forever(func(round int) {
		mu.Lock()
		for i := 0; i < *pace; i++ {
			cache[round**pace+i] = i
		}
		mu.Unlock()
		time.Sleep(*rest)
	})
	return ""
}

func hoard() {
	forever(func(round int) {
		for i := 0; i < 10; i++ {
			m := make(map[int]int)
			for j := 0; j < 500; j++ {
				m[j] = j
			}
			many = append(many, m)
		}
		if round%10 == 0 {
			runtime.GC() // what is live is known at the end of one
		}
		time.Sleep(100 * time.Millisecond)
	})
}

//go:noinline
func stormOnce() {
	m := make(map[int]int)
	for i := 0; i < 1000; i++ {
		m[i] = i
	}
	sink += len(m)
}

//go:noinline
func churnOnce(round int) {
	m := make(map[int]int, 50)
	for i := 0; i < 50; i++ {
		m[round+i] = round
	}
	sink += len(m)
}

func leak() {
	chain = make([]*[16]byte, 0, *before+1<<22)
	more := func(count int) {
		mu.Lock()
		for i := 0; i < count && len(chain) < cap(chain); i++ {
			chain = append(chain, new([16]byte))
		}
		mu.Unlock()
	}
	more(*before)
	forever(func(int) {
		more(*pace * 5)
		time.Sleep(50 * time.Millisecond)
	})
}

func well(count int) {
	for i := 0; i < count; i++ {
		m := make(map[int]int)
		for j := 0; j < i%50; j++ {
			m[j] = j
		}
		many = append(many, m)
	}
	forever(func(round int) {
		many[round%count][round%7] = round
		time.Sleep(100 * time.Millisecond)
	})
}

func misuse() {
	cache = make(map[int]int)
	for i := 0; i < 4; i++ {
		go func() {
			for {
				cache[1]++
			}
		}()
	}
	time.Sleep(time.Hour)
}

func fall(illness string) string {
	switch illness {
	case "waste":
		return waste()
	case "empty":
		return empty()
	case "large", "crowd":
		return fill(*number)
	case "growing":
		return growing()
	case "hoard":
		hoard()
	case "storm":
		forever(func(int) { stormOnce() })
	case "churn":
		forever(churnOnce)
	case "leak":
		leak()
	case "none":
		well(*maps)
	case "misuse":
		misuse()
	}
	return ""
}

func recover_() {
	atomic.StoreInt32(&stop, 1)
	done.Wait()
	cache, chain, many = map[int]int{1: 1}, nil, nil
	runtime.GC()
	runtime.GC()
}

func main() {
	illness := flag.String("illness", "waste", "which one")
	flag.Parse()
	words := bufio.NewScanner(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for words.Scan() {
		told := answer{Word: words.Text(), Illness: *illness}
		switch told.Word {
		case "fall":
			told.Site = fall(*illness)
		case "recover":
			recover_()
		}
		mu.Lock()
		told.Len = len(cache)
		mu.Unlock()
		out.Encode(told)
	}
}
