package booth

var (
	textIncomplete   = Text{"号码还没有输完，请继续输入。", "The number is not complete yet. Please go on."}
	textNotFound     = Text{"名单里没有这个号码。请核对后重输，或请工作人员帮忙。", "This number is not on the list. Check it and type again, or ask the staff."}
	textScanLater    = Text{"请先完成当前同学的拍照，再扫下一位。", "Please finish with the present student first, then scan the next."}
	textNextNotFound = Text{"没有找到唯一的下一位同学，请稍后在主屏上输入。", "The next student was not found. Please type the number on the main screen later."}
	textNotMeSaved   = Text{"已记录。请马上告诉工作人员，由他们联系审核中心。", "On record. Please tell the staff at once, who will tell the review."}
	textFlagged      = Text{"已记下“信息有误”，可以继续拍照，老师会核对。", "Noted: the details are wrong. You may go on; the school will check them."}
	textApproved     = Text{"照片已审核通过，不能再更改。", "This photo is approved and can no longer be changed."}
	textInReview     = Text{"照片已提交，正在审核。如需重拍，请工作人员登记原因。", "A photo was submitted and is under review. For a new one, staff must record a reason."}
	textPayFirst     = Text{"请先用手机扫码缴费；付款到账后这里会自动继续。", "Please scan the code and pay on the phone first; this page goes on by itself."}
	textMismatch     = Text{"扫码的手机属于另一位同学。请工作人员核对。", "The linked phone belongs to another student. Please ask the staff."}
	textNoPortrait   = Text{"这张照片没有成功，请重拍。", "This shot did not work out. Please take another."}
	textFailing      = Text{"还有不合格的项目，请重拍，或请工作人员登记放行原因。", "Some checks failed. Take another photo, or ask staff to record an exception."}
	textManual       = Text{"请工作人员先确认人工检查项。", "Staff must confirm the manual checks first."}
	textConsentFirst = Text{"请先看完告知书并同意，再拍照。", "Please read the notice and agree before the photo."}
	textHoldStill    = Text{"请看镜头，保持不动", "Look into the camera and hold still"}
	textByHand       = Text{"已停下。准备好了请按“拍照”，或点“自动拍”。", "Stopped. Press the shutter when you are ready, or choose automatic again."}
	textDeveloping   = Text{"正在制作选中的这张，请稍等。", "The chosen photo is being made. One moment."}
	textCameraWait   = Text{"相机正在重新连接，请稍等。", "The camera is reconnecting. Please wait."}
	textSealTitle    = Text{"照片还没有保存", "The photo is not saved yet"}
	textSealSafe     = Text{"照片还在，没有丢失。请不要离开。", "The photo is still here, nothing is lost. Please stay."}
	textTryAgain     = Text{"再试一次", "Try again"}
	textCameraTitle  = Text{"相机重新连接中", "The camera is reconnecting"}
	textCameraSafe   = Text{"您的信息还在，相机恢复后会自动继续。", "Your details are kept; the visit goes on by itself."}
)
