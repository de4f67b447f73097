# 云照站 / Yunzhao Station. `make` alone lists what there is.
#
# Every target does all it needs, from a bare Debian 12 or Ubuntu 24.04 on.

SHELL := /bin/bash
.DEFAULT_GOAL := help

GO      := .ci/go
TAGS    := migrated_fynedo
# The release in the source where there is no git history to ask.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || sed -n 's/^ *Version *= *"\(.*\)"/\1/p' FyneApp.toml 2>/dev/null | head -n 1)
MODULE  := github.com/yunzhao-station/yunzhao
LDFLAGS := -s -w $(if $(VERSION),-X $(MODULE)/app/cli.Version=$(VERSION))
# gocv binds all of OpenCV, of which the station uses three libraries; linked
# plainly it would load the others too, with Qt, FFmpeg and GDAL below them: twice
# the memory and four fifths of a start. lld forgets what nothing reaches.
LINK    := -extldflags "-fuse-ld=lld -Wl,--gc-sections -Wl,--as-needed"
CENTRAL_LDFLAGS := -s -w $(if $(VERSION),-X main.version=$(VERSION))

# Arguments for the program: make run ARGS="--simulated"
ARGS ?=
# Pure Go that runs concurrently and computes little; pixel code costs 5–20× under
# the race detector.
RACE_PACKAGES ?= ./sync/... ./camera ./camera/helper/... ./camera/mjpeg/... ./camera/v4l2/... ./app/booth/... ./app/config/... ./app/sound/... ./app/drive/... ./app/watchdog/...
# Run alone and last: they drive the built kiosk in real time.
E2E_PACKAGES ?= ./app/demo/...
BENCHTIME ?= 1s
FUZZTIME ?= 10s
# make bench-checks DOCS=1 writes the tables and the plot of docs/checks.md anew.
DOCS ?=
# Cards that make bench-identity holds before the camera.
CARDS ?= 400
# Samples that are not part of the project; tests that want them skip without.
export YUNZHAO_SHARED ?= $(abspath ../shared)
export TAGS RACE_PACKAGES E2E_PACKAGES FUZZTIME

.PHONY: help
help: ## 列出全部目标 / list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)$$/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

.PHONY: deps
deps: ## 安装编译与测试所需 / install what building and testing needs
	@.ci/deps test

.PHONY: build
build: ## 编译到 bin/ / build bin/yunzhao and bin/yunzhao-central
	@.ci/deps build
	@$(MAKE) --no-print-directory binaries

# Not files with dependencies: go build knows better what is out of date.
.PHONY: binaries
binaries:
	$(GO) build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS) $(LINK)' -o bin/yunzhao .
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(CENTRAL_LDFLAGS)' -o bin/yunzhao-central ./sync/cmd/yunzhao-central

.PHONY: run
run: ## 启动拍照站（演示数据）/ start the station with demo data
	@.ci/deps run
	@$(MAKE) --no-print-directory binaries
	@if [[ -z "$$DISPLAY$$WAYLAND_DISPLAY" ]]; then \
		echo '没有显示器：在虚拟屏幕上演示完整流程，截图在 out/demo。'; \
		echo 'No display: the whole job runs on a virtual screen; the pictures are in out/demo.'; \
		exec bin/yunzhao demo $(ARGS); \
	else \
		exec bin/yunzhao run --demo $(ARGS); \
	fi

.PHONY: demo
demo: ## 在虚拟屏幕上演示完整流程并截图 / drive whole visits on a virtual screen
	@.ci/deps run
	@$(MAKE) --no-print-directory binaries
	bin/yunzhao demo $(ARGS)

.PHONY: test
test: ## 全部测试 / all tests
	@.ci/deps test
	@.ci/tests

.PHONY: test-camera
test-camera: ## 在虚拟机里用内核驱动测试相机 / camera tests against kernel drivers in a VM
	@.ci/deps build
	YUNZHAO_VM=1 $(GO) test -count=1 -v -run 'TestVM' -timeout 60m ./camera/v4l2/

.PHONY: test-faults
test-faults: ## 断电、强杀、坏盘、篡改，数小时 / power cuts, kills, bad disks, tampering, for hours
	@.ci/deps test
	@.ci/faults $(ARGS)

.PHONY: test-network
test-network: ## 断网、假门户、被杀的中心，一万多个照片包 / resets, portals, a killed central: over 10,000 packets
	@.ci/deps test
	@.ci/network $(ARGS)

.PHONY: test-pages
test-pages: ## 中心的每个页面：无障碍（axe-core）与键盘审核 / central's pages: accessibility and the reviewer's keys (DOCS=1 draws those of docs/central.md)
	@.ci/deps test
	@YUNZHAO_DOCS=$(DOCS) .ci/pages

.PHONY: check
check: lint vuln test ## 格式、静态检查、漏洞与测试 / format, vet, lint, vulnerabilities and tests

.PHONY: vuln
vuln: ## 已知漏洞 / known vulnerabilities in what is called
	@.ci/deps test
	@.ci/vuln

.PHONY: lint
lint: ## 格式与静态检查 / format, vet and lint
	@.ci/deps test
	@.ci/lint

.PHONY: fmt
fmt: ## 自动排版 / format the code
	@.ci/deps test
	@.ci/lint --fix

.PHONY: fuzz
fuzz: ## 模糊测试每个解析器 / fuzz every parser, FUZZTIME each
	@.ci/deps test
	@.ci/fuzz

# benchmark runs the benchmarks that match $(2) in the packages $(1).
define benchmark
	@.ci/deps test
	$(GO) test -tags $(TAGS) -run '^$$' -bench '$(2)' -benchmem -benchtime $(BENCHTIME) -timeout 60m $(1)
endef

.PHONY: bench
bench: ## 一次拍摄的各项开销，一张表 / what a visit costs, in one table
	@.ci/deps run
	@cd app/bench && YUNZHAO_BENCH=1 ../../$(GO) test -tags $(TAGS) -count=1 -run '^TestTable$$' -timeout 60m

.PHONY: bench-matte
bench-matte: ## 抠图的误差与用时，对照 GrabCut / the matte's errors and times beside GrabCut's, resampling; ARGS=-matte-grabcut= leaves GrabCut out
	@.ci/deps test
	@cd pipeline/matte && ../../$(GO) test -tags $(TAGS) -count=1 -run '^(TestMatteTable|TestResampling)$$' -timeout 120m -args -matte-table -matte-resample -matte-dump $(CURDIR)/out/matte $(ARGS)
	$(call benchmark,./pipeline/ ./pipeline/matte/...,.)

.PHONY: bench-sync
bench-sync: ## 一万份积压送进一个中心：速度、延迟、内存、CPU / a backlog of 10,000 into one central: rate, latency, memory, CPU (6 GB in TMPDIR)
	@.ci/deps test
	YUNZHAO_BENCH=1 $(GO) test -count=1 -v -run '^TestScale$$' -timeout 120m ./sync/uplink

.PHONY: bench-preview
bench-preview: ## 预览与相机的开销、延迟 / what preview and camera cost, and how late they are
	@.ci/deps run
	@$(MAKE) --no-print-directory binaries
	YUNZHAO_BENCH=1 YUNZHAO_E2E=1 YUNZHAO_BIN=$(CURDIR)/bin/yunzhao YUNZHAO_CENTRAL_BIN=$(CURDIR)/bin/yunzhao-central \
		$(GO) test -tags $(TAGS) -count=1 -p 1 -v -run '^TestPreview(Cost|Latency|CPU)$$' ./app/bench/ ./app/station/ ./app/demo/
	$(GO) test -run '^$$' -bench '^BenchmarkFrame$$' -benchtime 5s ./camera/helper/
	$(call benchmark,./pipeline/codec/,.)

.PHONY: bench-visit
bench-visit: ## 扫码枪学生从“下一位”到“已保存”：每一步、点几次、启动、CPU / a visit step by step, taps, start, idle CPU; 8 min (DOCS=1 writes docs/visit.md)
	@.ci/deps run
	@$(MAKE) --no-print-directory binaries
	YUNZHAO_BENCH=1 YUNZHAO_E2E=1 YUNZHAO_DOCS=$(DOCS) YUNZHAO_BIN=$(CURDIR)/bin/yunzhao YUNZHAO_CENTRAL_BIN=$(CURDIR)/bin/yunzhao-central \
		$(GO) test -tags $(TAGS) -count=1 -v -run '^TestVisits$$' -timeout 30m ./app/demo/

.PHONY: soak
soak: ## 相机：模拟 30 分钟、1000 次拍摄、1000 次重启 / the camera for 30 simulated minutes, 1,000 shots, 1,000 restarts
	@.ci/deps build
	YUNZHAO_SOAK=1 YUNZHAO_HELPER_RESTARTS=1000 $(GO) test -count=1 -v -timeout 60m \
		-run '^Test(Soak|NothingIsLeft)$$' ./camera/ ./camera/helper/

.PHONY: bench-checks
bench-checks: ## 每项检查的误报、漏报与阈值 / false alarms and misses of every check (DOCS=1 writes docs/checks.md)
	@.ci/deps test
	@cd app/bench/checks && YUNZHAO_BENCH=1 YUNZHAO_DOCS=$(DOCS) ../../../$(GO) test -tags $(TAGS) -count=1 -v -run '^Test(Table|Variety|Times)$$' -timeout 120m

.PHONY: deb
deb: ## 打成 .deb 安装包，放在 out/ / pack a .deb of the kiosk into out/
	@.ci/deps build
	@$(MAKE) --no-print-directory binaries
	@.ci/deb out

.PHONY: test-deb
test-deb: deb ## 在干净的 Debian 上装、崩溃、升级、卸载（需要 root）/ install, crash, upgrade, remove on a bare Debian (as root)
	@.ci/deb-test "$$(ls -t out/yunzhao_*.deb | head -n 1)" $(ARGS)

.PHONY: screens
screens: ## 把每个画面画成图片 / draw every screen into out/screens (DOCS=1 writes docs/screens.md)
	@.ci/deps test
	$(if $(DOCS),rm -f docs/images/screen-*.jpg)
	YUNZHAO_SCREENS=$(CURDIR)/out/screens YUNZHAO_DOCS=$(DOCS) $(GO) test -tags $(TAGS) -count=1 -v -run '^TestDraw(Screens|Displays)$$' -timeout 30m ./app/screen

.PHONY: bench-identity
bench-identity: ## 身份证与二维码识别、名单查找 / cards and codes before the camera, the roster searched (CARDS=400)
	@.ci/deps test
	YUNZHAO_BENCH=1 YUNZHAO_CARDS=$(CARDS) YUNZHAO_DOCS=$(if $(DOCS),$(CURDIR)/docs/images) $(GO) test -tags $(TAGS) -count=1 -p 1 -v -timeout 120m \
		-run '^Test(Cards|Ladder)$$' ./app/bench/identity/ ./pipeline/qr/
	$(call benchmark,./sync/roster/,Lookup)

.PHONY: walk
walk: ## 状态机随机走两百万步：谁的照片也到不了别人那里 / two million random steps: nobody's photo reaches another
	YUNZHAO_WALK=2000000 $(GO) test -count=1 -v -timeout 60m -run '^TestNoStudentReachesAnother$$' ./app/booth/

.PHONY: clean
clean: ## 删除编译结果 / remove what was built
	rm -rf bin out
